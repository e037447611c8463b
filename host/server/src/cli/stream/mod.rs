//! What an execution tells while it runs: the streams of its attempts, and their logs.

mod follow;
pub mod frames;
pub mod logs;
