//! Waitpoint tokens, and the keys that sign them.
//!
//! ```text
//!            seed, rotate              rotate                  not_after, retire
//!  (none) ───────────────▶ active ───────────────▶ retiring ───────────────▶ refused
//!                          signs                   accepted                  deleted
//! ```
//!
//! Exactly one key signs once there is any; the first token creates the first key.
//! Secrets are encrypted under a key that is not in the database
//! ([`crate::SecretsKeys`]). The database is authoritative for which key signs and
//! which are accepted, and is asked each time; hosts cache the secrets only ([`ring`]).
//!
//! To create a waitpoint: mint its token with [`crate::Engine::mint_waitpoint_tokens`],
//! for all of a batch, then write the row with `kid` and `fingerprint`, never the token.
//! To act on a token: verify its signature with
//! [`crate::Engine::verify_waitpoint_token_signature`], compare its claims with the request, and let
//! the statement that acts read `accepted_waitpoint_key` and compare the expiry, as
//! [`VerifiedWaitpointToken`] shows.

mod list;
mod mint;
mod retire;
mod ring;
mod rotate;
mod seed;
mod token;
mod verify;

pub use list::{WaitpointKey, WaitpointKeyPlace};
pub(crate) use mint::SigningKey;
pub use mint::{MintWaitpointToken, MintedWaitpointToken, WaitpointTokenExpiry};
pub(crate) use ring::Ring;
pub use rotate::{RotateWaitpointKey, RotatedWaitpointKey};
use seed::SeedKey;
pub use seed::SeededWaitpointKey;
pub use token::{WaitpointToken, WaitpointTokenKey};
pub use verify::VerifiedWaitpointToken;
