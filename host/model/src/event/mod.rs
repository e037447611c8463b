//! Events: what happened, in which family, and places in the log of them.

mod cursor;
mod kind;

pub use cursor::{Cursor, CursorError};
pub use kind::{Event, EventKind, Family};
