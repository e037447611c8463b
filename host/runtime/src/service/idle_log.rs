//! The log of a service while it holds no lease: it is copied to the log of the host,
//! within the bounds of an attempt's log for each minute.

use std::time::{Duration, Instant};

use model::Digest;

use crate::attempt::AttemptLog;
use crate::settings::SandboxLimits;

const WINDOW: Duration = Duration::from_secs(60);

/// Copies records to the log of the host.
#[derive(Debug)]
pub(crate) struct IdleLog {
    component: Digest,
    log: AttemptLog,
    /// Bytes of `log` that were copied already.
    shown: usize,
    opened: Instant,
    since: Instant,
}

impl IdleLog {
    pub(crate) fn new(component: Digest, limits: &SandboxLimits) -> Self {
        let now = Instant::now();
        Self {
            component,
            log: AttemptLog::new(limits.log_bytes_max, limits.log_records_max),
            shown: 0,
            opened: now,
            since: now,
        }
    }

    /// Gives access to the log, with the time since the sandbox was opened, and
    /// copies what was added to the log of the host.
    pub(crate) fn with(&mut self, f: impl FnOnce(&mut AttemptLog, u64)) {
        if self.since.elapsed() >= WINDOW {
            self.since = Instant::now();
            self.shown = 0;
            let dropped = self.log.reset();
            if dropped > 0 {
                tracing::warn!(component = %self.component, dropped, "a service logged more than its bounds allow");
            }
        }
        let at_ms = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        f(&mut self.log, at_ms);
        let added = String::from_utf8_lossy(&self.log.text()[self.shown..]);
        for line in added.lines() {
            // A guest may send control characters, and no terminal should obey them.
            tracing::info!(component = %self.component, "a service says:{}", line.escape_debug());
        }
        self.shown = self.log.text().len();
    }

    /// Returns the last of what was written to standard error.
    pub(crate) fn stderr_tail(&self) -> String {
        self.log.stderr_tail()
    }
}
