//! What happened to one execution, page by page: its attempts and its history.
//!
//! Both are read from the rows of the leases, which last as long as the execution; the
//! event log may be shorter. A page costs what it shows: each source is read by its
//! primary key, from the place where the page before ended.

mod attempts;
mod history;
mod place;

pub use attempts::{Attempt, AttemptLease};
pub use history::HistoryEntry;
pub use place::HistoryPlace;
