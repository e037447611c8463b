//! Events of a family: a page of them, as soon as there is one, or a stream without end.
//!
//! ```text
//! request ─▶ read ─▶ page       the answer waits
//!              └───▶ stream     the answer continues; at most one page is held
//! ```
//!
//! Nothing is kept for a reader between two requests: its cursor says where it is, on any
//! host. Cursors of callers that may not see every namespace are sealed, as those of lists
//! are, since a place tells how much is going on elsewhere.

mod cursor;
pub mod read;
mod request;
mod stream;
