//! What all sandboxes of a host may have together, and who waits for a part of it.
//!
//! ```text
//!  component ──▶ Needs ─┐
//!                       ├─▶ Room ──▶ Seat ──▶ sandbox ──▶ growth ──▶ Room
//!  machine ──▶ PoolSize ┘    │ full: waits in order, claims pause
//! ```
//!
//! [`needs`] says what a component occupies when it is opened, [`machine`] what
//! the machine has, [`size`] how large a pool both allow. [`line`](mod@line) decides
//! who gets what: it is the only place where room is handed out.

mod line;
mod machine;
mod needs;
mod seat;
mod size;
#[cfg(test)]
mod tests;

pub(crate) use line::{ForMore, Room};
pub use machine::{Machine, MemoryBudget};
pub(crate) use needs::{INSTANCE_BYTES_MAX, Needs, Wanted, count, sealed, split};
pub(crate) use seat::{Allowance, NoRoom, Seat};
pub use size::{Bound, PoolSize};
