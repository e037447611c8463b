//! Who may do what: roles, where they are held, and the callers that hold them.

mod api_key;
mod identity;
mod principal;
mod role;

pub use api_key::{ApiKeyRefusal, may_grant};
pub use identity::Identity;
pub use principal::{Principal, Scope, credential_of};
pub use role::{Role, RoleGrant};
