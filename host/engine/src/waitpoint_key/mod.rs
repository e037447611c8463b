//! Keys that waitpoint tokens are signed with, and the tokens.
//!
//! ```text
//!            seed, rotate              rotate                  not_after, retire
//!  (none) ───────────────▶ active ───────────────▶ retiring ───────────────▶ refused
//!                          signs                   accepted                  forgotten
//! ```
//!
//! Exactly one key signs once there is any; the first token makes the first key.
//! Secrets are encrypted under a key that is not in the database
//! ([`crate::SecretsKeys`]). The database is authoritative for which key signs and
//! which are accepted, and is asked each time; hosts remember secrets only
//! ([`ring`]).

mod list;
mod mint;
mod open;
mod retire;
mod ring;
mod rotate;
mod seed;
mod token;

pub use list::WaitpointKey;
pub use mint::{MintToken, MintedToken, TokenExpiry};
pub use open::OpenedToken;
pub(crate) use ring::Ring;
pub use rotate::{RotateKey, RotatedKey};
use seed::SeedKey;
pub use seed::SeededKey;
pub use token::{TokenKey, WaitpointToken};
