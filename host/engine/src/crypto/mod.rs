//! Secrets of an instance, and what is proven with them.
//!
//! ```text
//! shared_key   a key that every host of the instance shares, kept in the database
//! handle       what a program outside holds as proof of a lease or a grant
//! cursor       seals the places in cursors of callers that may not see all there is
//! encryption   encrypts the secrets of waitpoint keys under a key outside the database
//! ```
//!
//! Waitpoint tokens, which are signed with keys of their own, are in
//! [`crate::waitpoint`].

mod cursor;
mod encryption;
mod handle;
mod shared_key;

pub use cursor::CursorSeal;
pub(crate) use encryption::Wrapped;
pub use encryption::{SecretsFault, SecretsKeyError, SecretsKeys};
pub(crate) use handle::HeldGrant;
pub use handle::{HandleSigner, HeldLease};
