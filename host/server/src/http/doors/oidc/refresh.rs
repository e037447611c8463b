//! The keys of the issuer as this host holds them, and when it asks for them again.
//!
//! | the keys | a token is judged |
//! |---|---|
//! | are younger than `jwks_refresh_ms` | with them |
//! | are older | with them, while they are asked for in the background |
//! | lack the one it names | after they were asked for |
//! | are older than `jwks_keep_ms`, or absent | after they were asked for; not at all if that fails |
//!
//! They are asked for at most once in `jwks_retry_ms`, also for tokens that name unknown keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::issuer::Issuer;
use super::keys::KeySet;
use crate::config::Oidc;
use crate::stopwatch::Stopwatch;

/// The keys of the issuer; cheap to clone.
#[derive(Debug, Clone)]
pub struct Keys(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    issuer: Issuer,
    refresh: Duration,
    retry: Duration,
    keep: Duration,
    clock: Stopwatch,
    held: RwLock<Option<Held>>,
    /// When they were asked for last; locked while they are.
    asked: Mutex<Option<Duration>>,
    fetched: AtomicU64,
    failed: AtomicU64,
}

/// Keys that were fetched.
#[derive(Debug, Clone)]
pub struct Held {
    /// The keys that were published.
    pub keys: Arc<KeySet>,
    /// Digest of what was published; other keys have another.
    pub digest: [u8; 32],
    at: Duration,
}

impl Keys {
    /// Makes one that has none yet.
    pub fn new(issuer: Issuer, settings: &Oidc) -> Self {
        Self(Arc::new(Shared {
            issuer,
            refresh: settings.jwks_refresh(),
            retry: settings.jwks_retry(),
            keep: settings.jwks_keep(),
            clock: Stopwatch::start(),
            held: RwLock::new(None),
            asked: Mutex::new(None),
            fetched: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }))
    }

    /// Returns the keys that may be used now. Old ones are asked for again meanwhile.
    pub fn held(&self) -> Option<Held> {
        let held = self.0.held.read().clone()?;
        let age = self.0.clock.elapsed().saturating_sub(held.at);
        if age > self.0.keep {
            return None;
        }
        if age > self.0.refresh && self.0.is_due() {
            let keys = self.clone();
            tokio::spawn(async move { keys.ask().await });
        }
        Some(held)
    }

    /// Asks the issuer for its keys, unless that was done a moment ago.
    pub async fn ask(&self) {
        let shared = &self.0;
        let mut asked = shared.asked.lock().await;
        if asked.is_some_and(|at| shared.clock.elapsed() < at + shared.retry) {
            return;
        }
        let answer = shared.issuer.keys().await;
        let now = shared.clock.elapsed();
        *asked = Some(now);
        match answer {
            Ok((keys, digest)) => {
                shared.fetched.fetch_add(1, Relaxed);
                let keys = Arc::new(keys);
                *shared.held.write() = Some(Held {
                    keys,
                    digest,
                    at: now,
                });
            }
            Err(why) => {
                shared.failed.fetch_add(1, Relaxed);
                let age = self.age().map(|it| it.as_secs());
                tracing::warn!(
                    age_of_keys_seconds = age,
                    "the issuer of tokens did not answer with its keys: {why}"
                );
            }
        }
    }

    /// Returns the age of the keys, if there are some.
    pub fn age(&self) -> Option<Duration> {
        let at = self.0.held.read().as_ref()?.at;
        Some(self.0.clock.elapsed().saturating_sub(at))
    }

    /// Returns how often they were asked for, by what came of it.
    pub fn fetches(&self) -> [(&'static str, u64); 2] {
        let of = |count: &AtomicU64| count.load(Relaxed);
        [
            ("fetched", of(&self.0.fetched)),
            ("failed", of(&self.0.failed)),
        ]
    }
}

impl Shared {
    /// Whether they may be asked for now, and no one does.
    fn is_due(&self) -> bool {
        self.asked
            .try_lock()
            .is_ok_and(|asked| asked.is_none_or(|at| self.clock.elapsed() >= at + self.retry))
    }
}
