//! Attempt streams: how fast frames are appended, how soon they are seen, and whether tails
//! keep up with their streams.

mod appends;
mod keeping_up;
mod latency;
mod measure;
mod stream;

pub use measure::{Plan, Streams, measure};
