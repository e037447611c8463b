//! seed-waitpoint-key: no active key → one.

use model::KeyRotateRefusal;

use super::rotate::{check_kid, read_secret};
use crate::{Declined, Engine, Error, Operator, random};

/// A key to create.
pub(crate) struct SeedKey {
    pub(crate) kid: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) actor: String,
}

/// The answer to a request to seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeededWaitpointKey {
    /// The key was created and signs.
    Seeded {
        /// Id of the key that signs.
        kid: String,
    },
    /// There was an active key.
    AlreadySeeded {
        /// Id of the key that signs.
        kid: String,
        /// Whether it has the id and the secret asked for.
        same_secret: bool,
    },
}

impl Engine {
    /// Creates the first key, if there is no active one; for installations that bring their
    /// own secret. Asking again changes nothing. Without a secret, 64
    /// to 128 hexadecimal digits, one is drawn.
    ///
    /// # Refusals
    /// `invalid_kid`, `invalid_secret_hex`; `rotation_conflict` when a key had this
    /// id before.
    ///
    /// # Errors
    /// [`Error::Secrets`] when this host has no key to encrypt secrets with.
    pub async fn seed_waitpoint_key(
        &self,
        kid: &str,
        secret_hex: Option<&str>,
        actor: &str,
    ) -> Result<SeededWaitpointKey, Declined<KeyRotateRefusal>> {
        let seed = key(kid, secret_hex, actor)?;
        let conflict = || KeyRotateRefusal::RotationConflict(kid.to_owned());
        Ok(self.seed(&seed).await?.ok_or_else(conflict)?)
    }

    /// Creates the first key; `None` when there is no active key and the id is taken.
    pub(super) async fn seed(&self, key: &SeedKey) -> Result<Option<SeededWaitpointKey>, Error> {
        let ring = &self.inner.waitpoint_keys;
        let wrapped = ring.secrets()?.wrap(&ring.purpose(&key.kid), &key.secret);
        let seeded = sqlx::query_scalar!(
            "INSERT INTO waitpoint_key (kid, wrapped_secret, wrapped_under, created_by)
             SELECT $1, $2, $3, $4
             WHERE NOT EXISTS (SELECT FROM waitpoint_key WHERE state = 'active')
             ON CONFLICT DO NOTHING RETURNING kid",
            key.kid,
            wrapped.bytes,
            wrapped.under.as_slice(),
            key.actor
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        if let Some(kid) = seeded {
            return Ok(Some(SeededWaitpointKey::Seeded { kid }));
        }
        let active = sqlx::query!(
            "SELECT kid, wrapped_secret, wrapped_under FROM waitpoint_key WHERE state = 'active'"
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        let Some(active) = active else {
            return Ok(None);
        };
        let same_secret = active.kid == key.kid
            && ring.unwrap(&active.kid, &active.wrapped_under, &active.wrapped_secret)?
                == key.secret;
        Ok(Some(SeededWaitpointKey::AlreadySeeded {
            kid: active.kid,
            same_secret,
        }))
    }
}

fn key(kid: &str, secret_hex: Option<&str>, actor: &str) -> Result<SeedKey, KeyRotateRefusal> {
    check_kid(kid)?;
    Operator::check_actor(actor)?;
    Ok(SeedKey {
        kid: kid.to_owned(),
        secret: match secret_hex {
            Some(secret_hex) => read_secret(secret_hex)?,
            None => random::bytes::<32>().to_vec(),
        },
        actor: actor.to_owned(),
    })
}
