//! The event log: reading it in order and without gaps, and following it.
//!
//! ```text
//! horizon ──▶ read ──▶ page of a family            a reader that is behind
//!                └───▶ recent ──▶ follow           readers at the head of this host
//! ```
//!
//! A reader asks for the events of a family after a place (`read`). One that has read all
//! there is waits (`follow`) for what one task of the host reads for all of them and keeps
//! for a while (`recent`), so that a thousand readers cost the database what one does. A
//! reader that is too slow for that reads by itself again. Nothing is kept per reader.

mod classes;
mod follow;
mod horizon;
mod read;
mod recent;
mod request;

pub use request::{EventPage, EventRequest};

pub(crate) use classes::{ClassName, Classes};
pub(crate) use recent::Recent;
