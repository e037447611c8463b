//! The sections of the doors: `[tls]`, `[oidc]` and `[doors]`.

mod grant;
mod limits;
mod oidc;
mod tls;

pub use grant::Grant;
pub use limits::Doors;
pub use oidc::{Oidc, Rule, TokenAlgorithm, is_trustworthy};
pub use tls::{Tls, TlsVersion, recorded};
