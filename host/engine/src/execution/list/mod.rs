//! Lists: pages of executions, by their creation or by their end, the last first.
//!
//! ```text
//! filter ──drivers──▶ candidates ──matches──▶ places ──infos──▶ page
//! ```
//!
//! Every filter that an index or a small table can serve is a *driver*, which finds
//! candidates in the order of the list. The driver that gets furthest with the same number
//! of rows is used, and one statement says for which of its candidates all filters hold.
//! So the cost of a page depends on what it shows and on [`model::Limits::EXAMINED_MAX`],
//! never on the history; a page that stops at that bound says so, and the next one
//! continues there.

mod candidates;
mod driver;
mod filter;
mod find;
mod page;
mod scan;
mod states;

pub use filter::{ListFilter, ListOrder, TimeRange};
pub use page::{ListPage, ListPlace, Listed};
