//! Delivery: what signals do, and the end of suspensions, suspended → waiting, delayed or,
//! dispatched directly to an idle worker, active.
//!
//! ```text
//! SuspensionSnapshot ──plan──▶ DeliveryPlan of WriteUnits ──statement──▶ Delivered
//!       read                        decided                              answered
//! ```
//!
//! What a batch of calls does is decided from a snapshot, execution by execution, and
//! written by one statement if that snapshot is still true; calls of units that have
//! changed meanwhile are decided again. So a signal's effect is exact, and the signal that
//! satisfies a condition ends the suspension in the statement that stores it: no host can
//! die in between. Operators and time limits that resume an execution take the same way.
//! Locks: pending waitpoints, then parked rows, then suspensions and their waitpoints.
//! Events: `signalled`, `resumed`, and `acquired` or `reclaimed` for what is dispatched
//! directly.

mod batch;
mod dispatched;
mod existing;
mod plan;
mod request;
mod statement;

pub use request::{Addressee, Delivered, SendSignal};
pub(super) use request::{Authority, AuthorizedSignal};
pub(crate) use request::{DeliverCall, DeliverVerdict, Resume};
