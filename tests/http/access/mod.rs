//! Who may do what: roles by route, namespaces that do not see each other, sessions of keys,
//! and in whose name things are done.

mod audit;
mod default_deny;
mod foreign;
pub(super) mod guarded;
mod identity;
mod mangled;
mod roles;
mod sessions;
mod shared;
