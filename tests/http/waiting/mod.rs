//! Executions that wait, over HTTP.

mod lists;
mod refused_waits;
mod signals;
mod suspensions;
mod waitpoint_keys;
