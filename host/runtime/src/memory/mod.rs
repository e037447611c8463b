//! The memory budget: what all sandboxes of a host may have together, and which of them
//! wait for a part of it.
//!
//! ```text
//!  component ──▶ Demand ───┐
//!                          ├─▶ SandboxBudget ──▶ Reservation ──▶ sandbox ──▶ growth
//!  machine ──▶ PoolSize ───┘         │
//!                                    └─ exhausted: waits in order, claims pause
//! ```
//!
//! [`machine_limits`] reads what the machine has, [`pool_size`] computes how large a pool
//! it allows. [`budget`] alone hands out parts of it, as [`queue`] decides; a sandbox has
//! its part as a [`reservation`], which its [`meter`] draws from.

mod allowance;
mod budget;
mod demand;
mod growth;
mod machine_limits;
mod memory_budget;
mod meter;
mod pool_size;
mod queue;
mod reservation;
mod reserve;
mod resources;
#[cfg(test)]
mod tests;

pub(crate) use allowance::Allowance;
pub(crate) use budget::{Admission, SandboxBudget};
pub(crate) use demand::Demand;
pub(crate) use growth::GrowthRefusal;
pub use machine_limits::MachineLimits;
pub use memory_budget::MemoryBudget;
pub(crate) use meter::{Meter, TABLE_ELEMENT_BYTES};
pub(crate) use pool_size::WASM_STACK_BYTES;
pub use pool_size::{PoolBound, PoolSize};
pub(crate) use reservation::Reservation;
