//! A host's cache of the secrets of waitpoint keys.
//!
//! A host caches the secret that belongs to a key id, never whether the key is still
//! accepted: the first does not change, the second is asked of the database by every
//! statement that acts on a token. So a key that was retired a moment ago is refused by
//! every host, and a long-lived cache does no harm.
//!
//! An unknown key id is looked up immediately: a token may arrive sooner than a host is
//! notified of the rotation before it. So that made-up key ids cost little, callers that
//! ask while the keys are being read wait for the next reading, which serves them all, and
//! two readings are some milliseconds apart.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::token::WaitpointTokenKey;
use crate::{Engine, Error, Instance, SecretsFault, SecretsKeys};

/// How long a secret is cached; less than the row of a key outlives the key.
const CACHED_FOR: Duration = Duration::from_secs(60);
/// Least time between two readings of the keys.
const READINGS_APART: Duration = Duration::from_millis(5);

/// The keys a host has cached.
pub(crate) struct Ring {
    secrets: Option<SecretsKeys>,
    instance: Instance,
    cache: Mutex<Option<CachedKeys>>,
    /// How many callers have asked for a reading.
    asked: AtomicU64,
    reading: tokio::sync::Mutex<Reading>,
}

struct CachedKeys {
    at: Instant,
    keys: HashMap<String, Found>,
}

/// A key, or why its secret cannot be read.
type Found = Result<Arc<WaitpointTokenKey>, SecretsFault>;

#[derive(Default)]
struct Reading {
    /// How many of the callers that asked were served.
    served: u64,
    at: Option<Instant>,
}

impl Ring {
    pub(crate) fn new(secrets: Option<SecretsKeys>, instance: Instance) -> Self {
        Self {
            secrets,
            instance,
            cache: Mutex::new(None),
            asked: AtomicU64::new(0),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// Returns the keys that encrypt secrets.
    pub(crate) fn secrets(&self) -> Result<&SecretsKeys, SecretsFault> {
        self.secrets.as_ref().ok_or(SecretsFault::KeyMissing)
    }

    /// Returns the text a secret is authenticated with. The generation is left out:
    /// a database restored elsewhere keeps its keys, but not its tokens.
    pub(super) fn purpose(&self, kid: &str) -> String {
        format!("flowhost waitpoint key\0{}\0{kid}", self.instance.id)
    }

    /// Decrypts the secret of a key.
    pub(super) fn unwrap(
        &self,
        kid: &str,
        under: &[u8],
        bytes: &[u8],
    ) -> Result<Vec<u8>, SecretsFault> {
        let what = || format!("waitpoint key `{kid}`");
        self.secrets()?
            .unwrap(&self.purpose(kid), under, bytes, what)
    }

    fn cached(&self, kid: &str) -> Option<Found> {
        let cache = self.cache.lock();
        let fresh = cache.as_ref().filter(|it| it.at.elapsed() < CACHED_FOR)?;
        fresh.keys.get(kid).cloned()
    }

    fn cache(&self, keys: HashMap<String, Found>) {
        *self.cache.lock() = Some(CachedKeys {
            at: Instant::now(),
            keys,
        });
    }
}

impl Engine {
    /// Returns a key by its id; `None` unless it is accepted.
    ///
    /// # Errors
    /// The database cannot be asked, or the secret not be read.
    pub(super) async fn waitpoint_token_key(
        &self,
        kid: &str,
    ) -> Result<Option<Arc<WaitpointTokenKey>>, Error> {
        let ring = &self.inner.waitpoint_keys;
        let found = match ring.cached(kid) {
            Some(found) => Some(found),
            None => {
                self.read_waitpoint_keys().await?;
                ring.cached(kid)
            }
        };
        Ok(found.transpose()?)
    }

    /// Reads the keys, or waits for a reading of another caller that begins later than
    /// this call.
    async fn read_waitpoint_keys(&self) -> Result<(), Error> {
        let ring = &self.inner.waitpoint_keys;
        let mine = ring.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut reading = ring.reading.lock().await;
        if reading.served >= mine {
            return Ok(());
        }
        if let Some(at) = reading.at {
            tokio::time::sleep_until(at + READINGS_APART).await;
        }
        let all = ring.asked.load(Ordering::SeqCst);
        let rows = sqlx::query!(
            "SELECT kid, wrapped_secret, wrapped_under
             FROM waitpoint_key JOIN accepted_waitpoint_key USING (kid)"
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let keys = rows.into_iter().map(|row| {
            let secret = ring.unwrap(&row.kid, &row.wrapped_under, &row.wrapped_secret);
            let key = secret.map(|secret| Arc::new(WaitpointTokenKey::new(&row.kid, &secret)));
            (row.kid, key)
        });
        ring.cache(keys.collect());
        *reading = Reading {
            served: all,
            at: Some(Instant::now()),
        };
        Ok(())
    }
}
