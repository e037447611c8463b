//! What the benchmark measures on the database itself.

mod baseline;
mod event_log;
mod herd;
mod history;
mod queue;
mod renewals;
mod server_stats;
mod suspended;
mod unknown_keys;

pub use baseline::{Baseline, SingleInserts};
pub use event_log::{clear_events, event_table_bytes, log_events};
pub use herd::{Herd, herd};
pub use history::{clear_history, history};
pub use queue::{NAMESPACE, backlog, claims, clear, clear_ready, hold};
pub use renewals::{Renewals, renewals};
pub use server_stats::{Stats, server_stats};
pub use suspended::{due_suspensions, suspend, suspend_one};
pub use unknown_keys::unknown_keys;
