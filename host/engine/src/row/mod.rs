//! Where rows become values: columns, times, and pages of which some rows cannot be shown.

mod column;
mod page;
mod stored_time;

pub(crate) use column::{
    bigint, count, epoch, fence, int, label, optional_label, optional_time, policy, readable, tags,
};
pub(crate) use page::Seen;
pub use page::{Page, Unreadable};
pub(crate) use stored_time::StoredTime;
