//! Streams of attempts: frames as they are appended and read, summaries and logs.

mod append;
mod log;
mod page;

pub use append::{AppendFrame, AppendFrames, AppendOneOrMany};
pub use log::{AttemptLog, LogText};
pub use page::{StreamEnd, StreamFrame, StreamFrames, StreamSummary};
