//! Events, as readers of a family see them.

mod page;

pub use page::{Event, EventPage};
