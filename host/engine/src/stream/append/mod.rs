//! append: one frame under a lease, active → active.
//!
//! Calls in flight share a statement, which appends to many streams. A stream is locked by
//! its row, so ids are given in the order of the commits, and no frame can be read before
//! one that has a smaller id. The calls are decided on the last place of the stream: if
//! another append came first, nothing is written, and they are decided again. So a summary
//! is merged with what its predecessor left, and an earlier try of the same calls that the
//! server applies late finds that its place has passed.
//!
//! Locks: the lease, for share of its key; then the stream. No event: frames are read, not
//! subscribed to.

mod call;
mod flush;
mod group;
mod known;
mod recognize;
mod statement;
mod trim;
mod verb;

pub(crate) use call::{AppendCall, AppendVerdict};
pub(crate) use known::KnownStreams;
pub(crate) use trim::remove_trimmed;
