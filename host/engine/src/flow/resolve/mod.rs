//! resolve: takes note of members that ended, and releases, skips and cancels others.
//!
//! The statement that ends a member writes a row of `flow_due`. What follows is decided here
//! (`plan`) on what is read, and written by one statement (`resolve.sql`) if the flow is still
//! at the version that was read. The skip of a member is followed within the same statement,
//! level by level, however deep.
//!
//! Locks: the flow, then parked rows. Events: `promoted`, `acquired`, `skipped`,
//! `flow_ended`.

mod plan;
mod statement;
mod task;
