//! Components this host can run, by digest.
//!
//! ```text
//!               cached?              cached?           bytes of the component
//!  wanted ──▶ memory cache ──no──▶ disk cache ──no──▶ compiler ──▶ disk cache
//!               ▲                      └───────┬────────┘
//!               └── within its budget ◀── linked and checked
//! ```
//!
//! Bytes come from the database and are hashed again; compiled code comes from
//! the local cache or the compiling child. What loads a component is a task of
//! the host, one for each digest. No caller owns it: it continues when the callers
//! that wait for it leave, and later callers join it.

mod code_mac;
mod disk_cache;
mod link;
mod load;
mod load_failures;
mod loaded;
mod memory_cache;
#[cfg(test)]
mod tests;

pub(crate) use load::{ComponentSource, LoadError, Registry};
pub(crate) use loaded::Loaded;
