//! Bounded sweeps that end conditions which no verb ends.
//!
//! A sweep takes no input, reads only rows, and acts through the same statements as the
//! verbs, which compare fence and condition again; so any number of hosts may run them
//! at the same time. A sweep that found a full batch runs again immediately. One file
//! per condition, named by it:
//!
//! | file | condition | becomes |
//! |---|---|---|
//! | `due_delays` | delayed and due | waiting |
//! | `expired_leases` | active, lease expired | waiting, or failed at the cap |
//! | `attempt_timeouts` | active, attempt too long | as a failure of class `timeout` |
//! | `deadlines` | not finished, deadline passed | expired |
//! | `suspension_timeouts` | suspended, timeout passed | as its timeout behavior says |
//! | `due_flows`, in `flow/resolve` | member ended, its flow has not taken note of it | noted, and what waited for it decided |
//! | `flow_cancellations`, in `flow/resolve` | to be cancelled because of its flow | cancelled |
//! | `unused_waitpoints` | waitpoint without a suspension in time | expired |
//! | `blocked_routes` | blocked, and a capable worker is live | waiting |
//! | `idempotency_keys` | key past its window | removed |
//! | `dead_workers` | worker without a heartbeat in time | dead, later removed |
//! | `retention/finished_past_retention` | finished longer than it is kept | removed |
//! | `flows_past_retention`, in `flow/retention` | flow whose members ended longer ago than executions are kept | removed, and its members as executions are |
//! | `retention/events_past_retention` | event older than it is kept, or beyond the bytes of the log | removed |
//! | `retention/unused_classes` | class that no execution and no event is of | removed |
//! | `retention/audit_past_retention` | audit entry older than it is kept | removed |
//! | `retention/ended_api_keys` | API key that ended longer ago than the audit reaches | removed |
//! | `noted_refusals`, in `audit/refusals` | refused requests that this host counted | summed in the audit |
//!
//! Removing rows past their retention can wait, so after a full batch those pause
//! for as long as the batch took.

mod attempt_timeouts;
mod blocked_routes;
mod dead_workers;
mod deadlines;
mod due_delays;
mod expired_leases;
mod idempotency_keys;
mod retention;
mod state;
mod stats;
mod suspension_timeouts;
mod sweeps;
mod unused_waitpoints;

pub(crate) use state::SweepState;
pub use stats::SweepFigures;
pub(crate) use sweeps::SWEEP_MAX;
pub use sweeps::{Reconcilers, Sweeps};
