//! Rows that were kept long enough: finished executions with all they have, and events.

mod cursor;
mod events_past_retention;
mod finished_past_retention;

pub(super) use cursor::RetentionCursor;
