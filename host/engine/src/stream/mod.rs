//! Attempt streams and live logs: appended under a lease, read and followed by anyone who
//! may read the execution.

mod append;
mod log;
mod read;
mod request;
mod summary;
mod tail;

pub use request::{Appended, LogPage, ReadLog, ReadStream, StreamPage, StreamSummary, TailStream};
