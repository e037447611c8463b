//! The log of an attempt while it runs.
//!
//! What a lease has logged is recorded with its end. Until then the host that runs the
//! attempt appends it in pieces, each with its place in the log of the lease. A reader gets
//! what was recorded, and the pieces of a lease of which nothing was: one that is held, or
//! one whose host was lost. Both have the same places, so that the change from one to the
//! other leaves no gap and repeats nothing.

mod append;
mod read;

pub(crate) use append::{AppendLog, AppendLogVerdict};
pub(crate) use read::{LogReads, ReadLogCall};
