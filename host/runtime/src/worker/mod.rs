//! A worker: claims executions for free slots, runs each in a sandbox and records how it
//! ended. Services claim through it as well; the folder `service` above keeps them
//! running.
//!
//! ```text
//!  claiming ── lease ──▶ attempt (guest runtime) ──▶ recording
//!     ▲                      ▲        │                  ▲
//!   slots, routes          keeper ────┘ renews, or says  │ that the lease is lost
//!     ▼                      ▼                           │
//!  services (guest runtime) ──────────── next, complete ─┘
//! ```
//!
//! The slot is taken before the lease, and released after the outcome was recorded. The
//! database is authoritative about leases; what the worker has in memory only decides
//! when it stops trying.

mod attempting;
mod claiming;
mod counters;
mod handle;
mod jitter;
mod keeper;
mod lease_slot;
mod live_log;
mod log_throttle;
mod recording;
mod reserving;
mod routes;
mod routing;
mod state;

pub(crate) use claiming::{FAULT_PAUSE, POLL_PAUSE_MAX, POLL_PAUSES, ask, claim_of};
pub(crate) use counters::Counters;
pub use handle::WorkerHandle;
pub(crate) use jitter::Jitter;
pub(crate) use lease_slot::{LeaseSlot, Slot};
pub(crate) use recording::{record, return_lease};
pub(crate) use state::Worker;
