//! The doors of a host: TLS, limits, certificates and tokens of an issuer.

mod callers;
mod limits;
mod login;
mod oidc;
mod tls;
