//! Rows that were kept long enough: finished executions with all they have, events, audit
//! entries, API keys, classes that nothing is of, and frames of streams.

mod audit_past_retention;
mod cursor;
mod ended_api_keys;
mod events_past_retention;
mod finished_past_retention;
mod log_bytes;
mod streams_due;
mod unused_classes;

pub(super) use cursor::RetentionCursor;
