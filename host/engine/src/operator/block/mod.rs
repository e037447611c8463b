//! block: waiting → blocked or rate limited. unblock: blocked, rate limited or
//! waiting for children → waiting.
//!
//! A blocked execution keeps its place in the queue. An operator's hold is a block for
//! the reason `paused_by_operator`. Locks: the ready or parked row. Events: `blocked`,
//! `unblocked`.

mod verb;

pub use verb::Block;
