//! Rows that were kept long enough: finished executions with all they have, events, audit
//! entries and API keys, and frames of streams.

mod audit_past_retention;
mod cursor;
mod ended_api_keys;
mod events_past_retention;
mod finished_past_retention;
mod streams_due;

pub(super) use cursor::RetentionCursor;
