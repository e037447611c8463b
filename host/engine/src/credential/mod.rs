//! API keys: a name with a role, and the texts by which programs prove that they have it.
//!
//! ```text
//!          create              revoke, or its end
//!  (none) ───────▶ accepted ─────────────────────▶ refused     the name is free again
//!                  │      ▲
//!                  └──────┘ rotate: another text; the old ones are accepted for the overlap
//! ```
//!
//! A text is shown once, to the caller that asked for it; the database has its hash
//! ([`KeyHash`]). The view `accepted_api_key` is authoritative for which texts are accepted,
//! by the database's clock, and hosts ask it with [`crate::Engine::authenticate`].

mod authenticate;
mod bootstrap;
mod create;
mod key_text;
mod list;
mod revoke;
mod rotate;

pub use create::{CreateApiKey, CreatedApiKey};
pub use key_text::{ApiKeyText, KeyHash};
pub use list::{ApiKey, ApiKeyFilter, ApiKeyTextInfo};
