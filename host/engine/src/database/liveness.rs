//! Which connections may have stopped answering; shared by the pools of an engine, which
//! lead to the same server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::DatabaseHealth;
use crate::Error;

/// How long a connection may be idle before it is suspect.
const IDLE_TRUSTED: Duration = Duration::from_secs(30);

/// When connections last broke or gave no answer.
pub(crate) struct Liveness {
    began: Instant,
    /// Milliseconds after `began`: connections idle since before are suspect. 0: none.
    suspect_before: AtomicU64,
    /// Milliseconds after `began` of the last statement without an answer. 0: none.
    unanswered_at: AtomicU64,
    /// Why the last new connection could not be used; absent if it could.
    refused: Mutex<Option<Error>>,
    pub(crate) health: DatabaseHealth,
}

impl Liveness {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            suspect_before: AtomicU64::new(0),
            unanswered_at: AtomicU64::new(0),
            refused: Mutex::default(),
            health: DatabaseHealth::default(),
        })
    }

    fn ms(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.began);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Whether a connection must answer a ping before it is used.
    pub(super) fn is_suspect(&self, idle_since: Instant) -> bool {
        idle_since.elapsed() >= IDLE_TRUSTED
            || self.ms(idle_since) <= self.suspect_before.load(Ordering::Relaxed)
    }

    /// Makes every connection suspect that is idle now.
    pub(super) fn suspect_idle(&self) {
        let now = self.ms(Instant::now());
        self.suspect_before.store(now, Ordering::Relaxed);
    }

    /// Notes that a statement got no answer.
    pub(crate) fn no_answer(&self) {
        self.suspect_idle();
        let now = self.ms(Instant::now());
        self.unanswered_at.store(now, Ordering::Relaxed);
    }

    /// Whether another statement got no answer since then.
    pub(super) fn no_answer_since(&self, at: Instant) -> bool {
        self.unanswered_at.load(Ordering::Relaxed) >= self.ms(at)
    }

    /// Notes whether a new connection could be used.
    pub(super) fn opened(&self, refused: Option<Error>) {
        *self.refused.lock() = refused;
    }

    /// Returns why the last new connection could not be used.
    pub(super) fn refused(&self) -> Option<Error> {
        self.refused.lock().clone()
    }
}
