//! The HTTP API, as programs and strangers meet it.

mod access;
mod api;
mod browsers;
mod callbacks;
mod codings;
mod contract_fields;
mod cursors;
mod documented_bounds;
mod doors;
mod dry_runs;
mod ends;
mod error_names;
mod events;
mod flows;
mod lists;
mod moments;
mod operators;
mod raw;
mod refused_input;
mod streams;
mod waiting;
mod webhooks;
mod workers;
