//! What a host remembers of the keys.
//!
//! A host remembers the secret that belongs to a name, never whether a key is
//! still accepted: the first does not change, the second is asked of the database
//! by every statement that acts on a token. So a key that was retired a moment ago
//! is refused by every host, and remembering for long does no harm.
//!
//! A name that is not known is looked up at once: a token may come back sooner
//! than a host hears of the rotation before it. So that made-up names cost little,
//! whoever asks while the keys are being read waits for the next reading, which
//! serves all, and two readings are some milliseconds apart.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::token::TokenKey;
use crate::encryption::SecretsFault;
use crate::{Engine, Error, Instance, SecretsKeys};

/// How long a secret is remembered; below the time the row of a key outlives it.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Least time between two readings.
const READINGS_APART: Duration = Duration::from_millis(5);

/// The keys a host knows.
pub(crate) struct Ring {
    secrets: Option<SecretsKeys>,
    instance: Instance,
    known: Mutex<Option<Known>>,
    /// Counts who asked for a reading.
    asked: AtomicU64,
    reading: tokio::sync::Mutex<Reading>,
}

struct Known {
    at: Instant,
    keys: HashMap<String, Found>,
}

/// A key, or why its secret cannot be read.
type Found = Result<Arc<TokenKey>, SecretsFault>;

#[derive(Default)]
struct Reading {
    /// Who asked no later than this was served.
    served: u64,
    at: Option<Instant>,
}

impl Ring {
    pub(crate) fn new(secrets: Option<SecretsKeys>, instance: Instance) -> Self {
        Self {
            secrets,
            instance,
            known: Mutex::new(None),
            asked: AtomicU64::new(0),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// Returns what encrypts secrets.
    pub(super) fn secrets(&self) -> Result<&SecretsKeys, SecretsFault> {
        self.secrets.as_ref().ok_or(SecretsFault::KeyMissing)
    }

    /// Returns what a secret is authenticated with. The generation is left out:
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

    fn recall(&self, kid: &str) -> Option<Found> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref()?;
        (known.at.elapsed() < REMEMBERED)
            .then(|| known.keys.get(kid).cloned())
            .flatten()
    }

    fn remember(&self, keys: HashMap<String, Found>) {
        let known = Known {
            at: Instant::now(),
            keys,
        };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

impl Engine {
    /// Returns a key by name; `None` if there is none that is accepted.
    ///
    /// # Errors
    /// The database cannot be asked, or the secret not be read.
    pub(super) async fn waitpoint_token_key(
        &self,
        kid: &str,
    ) -> Result<Option<Arc<TokenKey>>, Error> {
        let ring = &self.inner.waitpoint_keys;
        let found = match ring.recall(kid) {
            Some(found) => Some(found),
            None => {
                self.read_waitpoint_keys().await?;
                ring.recall(kid)
            }
        };
        Ok(found.transpose()?)
    }

    /// Reads the keys, or waits for somebody else's reading that begins later
    /// than this call.
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
            let key = secret.map(|secret| Arc::new(TokenKey::new(&row.kid, &secret)));
            (row.kid, key)
        });
        ring.remember(keys.collect());
        *reading = Reading {
            served: all,
            at: Some(Instant::now()),
        };
        Ok(())
    }
}
