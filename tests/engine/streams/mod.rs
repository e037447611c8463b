//! Attempt streams: what is appended, how it is read and followed, and when it is gone.

mod appending;
mod closing;
mod following;
mod frames;
mod logs;
mod order;
mod reading;
mod retention;
mod summaries;
mod trimming;
