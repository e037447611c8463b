//! Tokens of an issuer that people logged in at, by the host they are for: kept in a file
//! of the user, sent with each request, and renewed before they expire.

mod oauth;
mod session;
mod store;

pub use oauth::{Issuer, TokenAnswer};
pub use session::{Session, is_resource};
pub use store::{StoredToken, Tokens};
