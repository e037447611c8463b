//! Rows that were kept long enough: finished executions with all they have, events, audit
//! entries, API keys, and classes that nothing is of.

mod audit_past_retention;
mod cursor;
mod ended_api_keys;
mod events_past_retention;
mod finished_past_retention;
mod log_bytes;
mod unused_classes;

pub(super) use cursor::RetentionCursor;
