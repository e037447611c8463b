//! The doors of a host: TLS, limits, and tokens of an issuer.

mod limits;
mod login;
mod oidc;
mod tls;
