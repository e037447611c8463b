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
//!
//! To make a waitpoint: [`crate::Engine::mint_waitpoint_tokens`] for all of a batch,
//! then write the row with `kid` and `fingerprint`, never the token. To act on a
//! token: [`crate::Engine::open_waitpoint_token`], compare what it says with what is
//! asked for, and have the statement that acts look into `accepted_waitpoint_key`
//! and compare the expiry, as [`OpenedToken`] shows.

mod list;
mod mint;
mod open;
mod retire;
mod ring;
mod rotate;
mod seed;
mod token;

pub use list::WaitpointKey;
pub(crate) use mint::SigningKey;
pub use mint::{MintToken, MintedToken, TokenExpiry};
pub use open::OpenedToken;
pub(crate) use ring::Ring;
pub use rotate::{RotateKey, RotatedKey};
use seed::SeedKey;
pub use seed::SeededKey;
pub use token::{TokenKey, WaitpointToken};
