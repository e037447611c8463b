//! Services: components that claim for themselves, and what keeps them running. As many
//! sandboxes of each run as the operator says, while a kind is routed to it.
//!
//! ```text
//! routed ──▶ ServiceAssignment ──▶ ServiceRun ──▶ it ended: pause, then the next run
//!                   │                  │
//!                   └─ no kind is left, or the host drains: `claim.next` says so,
//!                      and the run is stopped after the grace
//! ```
//!
//! The leases of a run:
//!
//! ```text
//! taken ──▶ held ──▶ recorded    by `complete` or `suspend`
//!            ├─────▶ dropped     returned; failed, if an earlier lease on it was lost
//!            ├─────▶ lost        dropped within the grace, or the sandbox is stopped
//!            └─────▶ the sandbox ended: failed, or returned if it was told to end
//! ```
//!
//! A lease has its slot before it is claimed and until its end is recorded. A
//! service that does not end what it claims is charged for it, so that no service
//! claims and drops the same executions for ever.

mod assignment;
mod idle_log;
mod keep_running;
mod leases;
mod next;
mod run;
mod supervise;
mod unended;
mod watch;

pub(crate) use supervise::supervise;
