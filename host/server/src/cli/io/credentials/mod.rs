//! What is sent with requests to be let in: an API key, or the token of an issuer that the
//! user logged in at. Tokens are kept in a file of the user, by the host they are for, and
//! renewed before they expire.

mod api_key;
mod oauth;
mod private_file;
mod session;
mod store;

pub use api_key::ApiKey;
pub use oauth::{Issuer, TokenAnswer};
pub use private_file::{PrivateFile, Secrets};
pub use session::{Session, is_resource};
pub use store::{StoredToken, Tokens};
