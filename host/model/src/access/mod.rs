//! Who may do what: roles, where they are held, and whoever holds them.

mod principal;
mod role;

pub use principal::{Principal, Scope};
pub use role::{Role, RoleGrant};
