//! Streams of attempts: what a handler tells while it works, frame by frame, and its log.
//!
//! ```text
//! GET …/stream       ─▶ range      a page of the frames between two cursors
//! GET …/stream/tail  ─▶ page       the frames behind a cursor, as soon as there are some
//!                   └▶ follow      the same as Server-Sent Events, until the attempt ends
//! GET …/stream/summary             the document that summary frames are merged into
//! GET …/log, …/log/tail            what the attempt has logged so far, by bytes
//! ```
//!
//! Nothing is kept for a reader between two requests: the id of the frame it has read last
//! says where it is, on any host.

mod follow;
pub mod log;
pub mod read;
mod request;
pub mod summary;
pub mod tail;
