//! What all sandboxes of a host may have together, and who waits for a part of it.
//!
//! ```text
//!  component ──▶ Needs ─┐
//!                       ├─▶ Room ──▶ Seat ──▶ sandbox ──▶ growth ──▶ Room
//!  machine ──▶ PoolSize ┘    │ full: waits in order, claims pause
//! ```
//!
//! [`needs`] says what a component occupies when it is opened, [`machine`] what
//! the machine has, [`size`] how large a pool both allow. [`shared`] hands it
//! out, the only place that does, as [`line`](mod@line) decides.

mod line;
mod machine;
mod needs;
mod parts;
mod seat;
mod shared;
mod size;
#[cfg(test)]
mod tests;

pub use machine::{Machine, MemoryBudget};
pub(crate) use needs::{INSTANCE_BYTES_MAX, Needs, Wanted, count, sealed, split};
pub(crate) use seat::{Allowance, NoRoom, Seat};
pub(crate) use shared::{ForMore, Room};
pub use size::{Bound, PoolSize};
