//! The event log: how soon an event is seen on another host, what readers cost the
//! executions of a host, how fast a reader catches up, and what the log costs a lifecycle.

mod behind;
mod beside;
mod cost;
mod latency;
mod measure;

pub use measure::{EventLog, Plan, measure};
