//! TLS of the API: its files, read again when they change; the handshake; and the name in
//! the certificate of a client.

mod accept;
mod files;
mod peer;
mod reload;
#[cfg(test)]
mod tests;

pub use files::Tls;
