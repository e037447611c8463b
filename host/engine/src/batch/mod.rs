//! Many callers, one statement, each with its own verdict.
//!
//! Calls in flight at the same time are batched: a flush takes all calls that wait,
//! runs one statement over arrays and answers each caller. The next flush begins when
//! the last one returns, so batches grow when the database is slow. When it is fast,
//! statements would run all the time with a dozen calls each, and the fixed cost of a
//! statement is that of some ten rows; so flushes that carry several calls begin some
//! time apart. A single call never waits.
//!
//! A flush runs in a task of its own that no caller can cancel. It is bounded in time,
//! and repeated for as long as a caller can be expected to wait. One that panics is
//! split until the call that causes it is alone: that call is answered with a defect,
//! and the others are flushed without it. So is a flush that reads a corrupt row.
//!
//! ```text
//! Batcher::call ──▶ Queue ──▶ one flusher of the verb ──▶ Flush::flush ──▶ verdicts
//! ```

mod batcher;
mod flusher;
mod flushes;
mod item;
mod queue;
#[cfg(test)]
mod tests;

pub(crate) use batcher::Batcher;
pub(crate) use flusher::Monitor;
pub(crate) use flushes::Flushes;
pub(crate) use item::{BatchItem, Flush};
