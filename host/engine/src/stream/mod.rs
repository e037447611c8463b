//! Attempt streams and live logs: appended under a lease, read and followed by anyone who
//! may read the execution.

mod append;
mod log;
mod read;
mod request;
mod summary;

pub(crate) use append::{AppendCall, AppendVerdict, KnownStreams, remove_trimmed};
pub(crate) use log::{AppendLog, AppendLogVerdict, LogReads, ReadLogCall};
pub(crate) use read::{FrameReads, Heads, ReadFrames, StreamRead, read_facts};
use request::attempt_column;
pub use request::{Appended, LogPage, ReadLog, ReadStream, StreamPage, StreamSummary, TailStream};
