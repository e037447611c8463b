//! HTTP itself, below every handler: connections, TLS, content encodings, dry runs, what
//! browsers may send, and texts that are safe to repeat.

pub mod browsers;
pub mod coding;
pub mod dry_run;
pub mod headers;
pub mod json;
pub mod listen;
pub mod not_http;
pub mod prefer;
pub mod text;
pub mod tls;
pub mod unread;
mod wrapped;
