//! Rows that this version cannot read.

mod batches;
mod executions;
mod lists;
