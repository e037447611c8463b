//! Section `[telemetry]`: logs.

use serde::{Deserialize, Serialize};

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// What is logged: a level, or levels by module such as
    /// `info,engine=debug`. `FLOWHOST_LOG` sets it too.
    pub log: String,
    /// Whether log lines are JSON.
    pub log_json: bool,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            // The pool reports each connection a database takes with it; the
            // engine says once that it is gone.
            log: "info,sqlx=error".to_owned(),
            log_json: false,
        }
    }
}
