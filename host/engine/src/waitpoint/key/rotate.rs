//! rotate-waitpoint-key: another key signs, and the old one is accepted for a while.

use model::{KeyRotateRefusal, Limits, WaitpointKeyState};

use super::{SeedKey, SeededWaitpointKey};
use crate::{Declined, Engine, Error, Operator, random};

/// Tries of a rotation while others are under way.
const TRIES: u32 = 32;

/// A request to rotate.
#[derive(Clone, PartialEq, Eq)]
pub struct RotateWaitpointKey {
    /// Id of the new key; absent: a random one.
    pub kid: Option<String>,
    /// Its secret, 64 to 128 hexadecimal digits; absent: a random one.
    pub secret_hex: Option<String>,
    /// How long tokens of the old key are accepted, in milliseconds; 24 hours
    /// when absent, at most [`Limits::KEY_GRACE_MS_MAX`].
    pub grace_ms: Option<u64>,
    /// The operator who asks, 1 to 255 bytes.
    pub actor: String,
}

/// Without the secret.
impl std::fmt::Debug for RotateWaitpointKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RotateWaitpointKey")
            .field("kid", &self.kid)
            .field("grace_ms", &self.grace_ms)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

/// The answer to a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotatedWaitpointKey {
    /// The new key signs.
    Rotated {
        /// The key that signed before; absent if there was none.
        previous_kid: Option<String>,
        /// The key that signs.
        new_kid: String,
        /// How many keys were deleted that ended more than an hour ago.
        forgotten: u32,
    },
    /// The key signed already.
    Noop {
        /// Id of that key.
        kid: String,
    },
}

impl Engine {
    /// Has a new key sign. Tokens of the old one are accepted for the grace, on
    /// every host and by the database's clock, and no longer.
    ///
    /// Asking again with the same name and secret, or the same name and none,
    /// changes nothing while that key signs.
    ///
    /// # Refusals
    /// `invalid_kid`, `invalid_secret_hex`, `invalid_grace_ms`;
    /// `rotation_conflict` when there is a key with that id and another secret, or one
    /// that no longer signs; `too_many_keys` when [`Limits::KEYS_MAX`] are accepted, unless the
    /// grace is 0.
    ///
    /// # Errors
    /// [`Error::Secrets`] when this host has no key to encrypt secrets with.
    pub async fn rotate_waitpoint_key(
        &self,
        rotate: RotateWaitpointKey,
    ) -> Result<RotatedWaitpointKey, Declined<KeyRotateRefusal>> {
        let grace_ms = rotate.grace_ms.unwrap_or(Limits::KEY_GRACE_MS_DEFAULT);
        let (key, given) = rotation(&rotate)?;
        if grace_ms > Limits::KEY_GRACE_MS_MAX {
            return Err(KeyRotateRefusal::InvalidGraceMs(grace_ms).into());
        }
        for _ in 0..TRIES {
            if let Some(rotated) = self.try_rotate(&key, grace_ms).await? {
                return Ok(rotated);
            }
            let missed = self.missed_rotation(&key, given.as_deref(), grace_ms);
            if let Some(answer) = missed.await? {
                return Ok(answer);
            }
        }
        Err(Error::Unavailable(
            "waitpoint keys are being rotated by too many callers at the same time".to_owned(),
        )
        .into())
    }

    async fn try_rotate(
        &self,
        key: &SeedKey,
        grace_ms: u64,
    ) -> Result<Option<RotatedWaitpointKey>, Error> {
        let ring = &self.inner.waitpoint_keys;
        let wrapped = ring.secrets()?.wrap(&ring.purpose(&key.kid), &key.secret);
        let row = sqlx::query_file!(
            "src/waitpoint/key/rotate.sql",
            key.kid,
            wrapped.bytes,
            wrapped.under.as_slice(),
            grace_ms as i64,
            key.actor,
            Limits::KEYS_MAX as i64
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        Ok(row.map(|row| RotatedWaitpointKey::Rotated {
            previous_kid: Some(row.previous_kid),
            new_kid: key.kid.clone(),
            forgotten: u32::try_from(row.forgotten).unwrap_or(u32::MAX),
        }))
    }

    /// Says why nothing was rotated; `None` if another rotation came between, and this one
    /// is tried again.
    async fn missed_rotation(
        &self,
        key: &SeedKey,
        given: Option<&[u8]>,
        grace_ms: u64,
    ) -> Result<Option<RotatedWaitpointKey>, Declined<KeyRotateRefusal>> {
        let conflict = || KeyRotateRefusal::RotationConflict(key.kid.clone());
        let existing = sqlx::query!(
            r#"SELECT state::text AS "state!", wrapped_secret, wrapped_under
               FROM waitpoint_key WHERE kid = $1"#,
            key.kid
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        if let Some(existing) = existing {
            if existing.state != WaitpointKeyState::Active.as_str() {
                return Err(conflict().into());
            }
            let ring = &self.inner.waitpoint_keys;
            let (under, wrapped) = (&existing.wrapped_under, &existing.wrapped_secret);
            if let Some(given) = given
                && ring.unwrap(&key.kid, under, wrapped).map_err(Error::from)? != given
            {
                return Err(conflict().into());
            }
            let kid = key.kid.clone();
            return Ok(Some(RotatedWaitpointKey::Noop { kid }));
        }
        let counts = sqlx::query!(
            r#"SELECT (SELECT count(*) FROM accepted_waitpoint_key) AS "accepted!",
                      EXISTS (SELECT FROM waitpoint_key WHERE state = 'active') AS "active!""#
        )
        .fetch_one(&self.inner.reads)
        .await?;
        if !counts.active {
            return Ok(match self.seed(key).await? {
                Some(SeededWaitpointKey::Seeded { kid }) => Some(RotatedWaitpointKey::Rotated {
                    previous_kid: None,
                    new_kid: kid,
                    forgotten: 0,
                }),
                _ => None,
            });
        }
        if grace_ms > 0 && counts.accepted >= Limits::KEYS_MAX as i64 {
            return Err(KeyRotateRefusal::TooManyKeys.into());
        }
        Ok(None)
    }
}

/// Returns the key to create, and its secret if one was given.
fn rotation(rotate: &RotateWaitpointKey) -> Result<(SeedKey, Option<Vec<u8>>), KeyRotateRefusal> {
    let kid = rotate.kid.clone().unwrap_or_else(draw_kid);
    check_kid(&kid)?;
    Operator::check_actor(&rotate.actor)?;
    let given = rotate.secret_hex.as_deref().map(read_secret).transpose()?;
    let key = SeedKey {
        kid,
        secret: given
            .clone()
            .unwrap_or_else(|| random::bytes::<32>().to_vec()),
        actor: rotate.actor.clone(),
    };
    Ok((key, given))
}

pub(super) fn check_kid(kid: &str) -> Result<(), KeyRotateRefusal> {
    model::waitpoint_kid(kid).map_err(KeyRotateRefusal::InvalidKid)
}

pub(super) fn read_secret(secret_hex: &str) -> Result<Vec<u8>, KeyRotateRefusal> {
    hex::decode(secret_hex)
        .ok()
        .filter(|secret| Limits::KEY_SECRET_BYTES.contains(&secret.len()))
        .ok_or(KeyRotateRefusal::InvalidSecretHex)
}

/// Draws a key id.
pub(super) fn draw_kid() -> String {
    format!("k{}", hex::encode(random::bytes::<6>()))
}
