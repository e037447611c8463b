//! Tokens of an OpenID Connect issuer, verified with the keys it publishes.
//!
//! ```text
//! token ─▶ shape, claims ─▶ key by `kid` ─▶ signature ─▶ rules ─▶ Principal
//!          nothing is fetched  │ unknown: fetched again, at most once in a while
//!          for a token that    ▼
//!          could not pass    issuer
//! ```
//!
//! A token is refused for one reason or another, and its sender learns none of them.

mod claims;
mod issuer;
mod keys;
mod memory;
mod refresh;
mod rules;
mod signatures;
mod token;
mod verifier;

pub use verifier::Verifier;
