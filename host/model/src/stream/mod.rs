//! Attempt streams: frames that the holder of a lease appends, and how they are read.

mod closing;
mod cursor;
mod document;
mod frame;
mod frame_id;
mod log_place;
mod new_frame;
mod patch;
mod refusal;

pub use closing::{AttemptFacts, ClosedReason, StreamClosed};
pub use cursor::{StreamCursor, StreamCursorError};
pub use document::SummaryDocument;
pub use frame::{FrameEncoding, FrameMode, StreamFrame, Visibility};
pub use frame_id::FrameId;
pub use log_place::{LogPlace, LogPlaceError};
pub use new_frame::{AppendMode, NewFrame};
pub use patch::SummaryPatch;
pub use refusal::{AppendRefusal, StreamRefusal};
