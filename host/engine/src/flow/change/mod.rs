//! create and grow: makes a flow, and adds members, edges and policies to one.
//!
//! What a request changes is decided by a pure function (`plan`) on a snapshot, and written by
//! one statement (`change.sql`) if the flow is still at the version of the snapshot; otherwise
//! both are done again. Changes of different flows share a statement.
//!
//! Locks: the flow, then rows of executions that exist. Events: `created`, and `acquired` for
//! what is dispatched directly.

mod call;
mod check;
mod made_before;
mod plan;
mod snapshot;
mod statement;
mod verb;

pub(crate) use call::{ChangeVerdict, FlowChange};
pub(super) use snapshot::stored_policy;
