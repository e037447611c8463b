//! read and tail: frames between two cursors, and frames as they are appended.
//!
//! Tails of a stream on a host share one *head*: a task that reads what is new once for
//! all of them, and keeps the newest frames. A tail that is behind these reads for itself.
//!
//! ```text
//! append, end of a lease ──▶ Wake ──▶ head ──▶ one statement for many heads
//!                                      │ frames
//!                                      ▼
//!                                 tails of the stream
//! ```

mod frames;
mod head;
mod heads;
mod kept;
mod range;
mod tail;

pub(crate) use frames::{FrameReads, ReadFrames, StreamRead, read_facts};
pub(crate) use heads::Heads;
