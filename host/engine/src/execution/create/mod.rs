//! create: nothing → waiting, delayed or, where an idle worker of this host has a free
//! slot, active.
//!
//! A request is checked (`check`), put into a batch with others, and written by one
//! statement (`statement`, `create.sql`). What that did not write was written before
//! (`existing`).
//!
//! Locks: idempotency row, new rows. Events: `created`, and `acquired` for what is
//! dispatched directly.

mod check;
mod existing;
mod statement;
mod verb;

pub use verb::{Create, Created};

pub(super) use verb::Prepared;

pub(crate) use check::{policy_text, request_digest};
pub(crate) use statement::{CreateCall, CreateVerdict, capabilities_text};
