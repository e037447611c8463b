//! Children: members that the handler of another member starts and waits for.
//!
//! A wait is a group of edges from the children to their parent, numbered from 1. The
//! statement that ends the lease writes it, so that no child can end unseen in between.

mod list;
mod start;
mod wait;

pub use list::{Child, FlowInput};
pub use start::StartChildren;
pub use wait::WaitFor;
