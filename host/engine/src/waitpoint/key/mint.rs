//! Mints waitpoint tokens with the key that is active now; creates the first key when
//! there is none.

use std::sync::Arc;

use model::{ExecutionId, Invalid, Limits, Moment, WaitpointClaims, WaitpointId};
use time::OffsetDateTime;

use super::{SeedKey, WaitpointToken, WaitpointTokenKey};
use crate::{Declined, Engine, Error, random};

/// Tries to find an active key whose secret is cached: each miss means that a rotation
/// came between.
const TRIES: u32 = 10;

/// The claims of a token to mint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintWaitpointToken {
    /// Namespace of the execution.
    pub namespace: String,
    /// The execution that the waitpoint is of.
    pub execution_id: ExecutionId,
    /// The waitpoint that the token opens.
    pub waitpoint_id: WaitpointId,
    /// Names of signals it may send, at most
    /// [`Limits::WAITPOINT_TOKEN_SIGNAL_NAMES_MAX`]; empty: any.
    pub signal_names: Vec<String>,
    /// Until when the token is valid.
    pub expiry: WaitpointTokenExpiry,
}

/// Until when a token is valid, by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitpointTokenExpiry {
    /// As long as its waitpoint is open and its key is accepted.
    Never,
    /// For so many milliseconds from now, at most ten years.
    InMs(u64),
    /// Until this time.
    At(Moment),
}

/// A token, and what is stored of it: never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintedWaitpointToken {
    /// The token, for its receiver alone.
    pub token: WaitpointToken,
    /// Id of the key that signed it, for the column `token_kid`.
    pub kid: String,
    /// First 16 hexadecimal digits of its MAC, for the column `token_fingerprint`: tells
    /// tokens apart and opens nothing.
    pub fingerprint: String,
    /// Until when it is valid; absent: as long as its waitpoint and its key.
    pub expires_at: Option<OffsetDateTime>,
}

/// The key that signs, and the time when it was read.
pub(crate) struct SigningKey {
    kid: String,
    key: Arc<WaitpointTokenKey>,
    now: OffsetDateTime,
}

impl Engine {
    /// Mints a token for each of these, in order. One statement for all of them
    /// asks for the active key and the time.
    ///
    /// # Refusals
    /// A name is not valid, there are too many, or an expiry is out of range; then nothing
    /// was minted.
    ///
    /// # Errors
    /// [`Error::Secrets`] when this host has no key to encrypt secrets with, or
    /// another one than the secret was encrypted under.
    pub async fn mint_waitpoint_tokens(
        &self,
        wanted: &[MintWaitpointToken],
    ) -> Result<Vec<MintedWaitpointToken>, Declined<Invalid>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let signing = self.signing_waitpoint_key().await?;
        let minted = wanted.iter().map(|one| self.mint_with(&signing, one));
        Ok(minted.collect::<Result<_, _>>()?)
    }

    /// Returns the key that signs now, and the time; creates the first key when there is
    /// none.
    ///
    /// # Errors
    /// As for [`Self::mint_waitpoint_tokens`].
    pub(crate) async fn signing_waitpoint_key(&self) -> Result<SigningKey, Error> {
        for _ in 0..TRIES {
            let active = sqlx::query!(
                r#"SELECT kid, clock_timestamp() AS "now!" FROM waitpoint_key WHERE state = 'active'"#
            )
            .fetch_optional(&self.inner.reads)
            .await?;
            let Some(active) = active else {
                // A key that another host creates at the same time serves as well.
                self.seed_first_waitpoint_key().await?;
                continue;
            };
            if let Some(key) = self.waitpoint_token_key(&active.kid).await? {
                return Ok(SigningKey {
                    kid: active.kid,
                    key,
                    now: active.now,
                });
            }
        }
        Err(Error::Unavailable(
            "waitpoint keys change faster than they can be read".to_owned(),
        ))
    }

    /// Mints a token with a key that was asked for a moment ago.
    pub(crate) fn mint_with(
        &self,
        signing: &SigningKey,
        wanted: &MintWaitpointToken,
    ) -> Result<MintedWaitpointToken, Invalid> {
        let claims = self.claims(wanted, signing.now)?;
        // No caller may get a token out of a rehearsal, which leaves no record.
        let void = self.inner.rehearses.then(|| {
            let secret = random::bytes::<32>();
            WaitpointTokenKey::new(&signing.kid, &secret)
        });
        let key = void.as_ref().unwrap_or(&signing.key);
        let (token, fingerprint) = key.sign(&claims);
        Ok(MintedWaitpointToken {
            token,
            kid: signing.kid.clone(),
            fingerprint,
            expires_at: claims.expires_at_us.and_then(super::verify::moment),
        })
    }

    async fn seed_first_waitpoint_key(&self) -> Result<(), Error> {
        let first = SeedKey {
            kid: super::rotate::draw_kid(),
            secret: random::bytes::<32>().to_vec(),
            actor: "first use".to_owned(),
        };
        self.seed(&first).await.map(drop)
    }

    fn claims(
        &self,
        wanted: &MintWaitpointToken,
        now: OffsetDateTime,
    ) -> Result<WaitpointClaims, Invalid> {
        let instance = self.instance();
        let claims = WaitpointClaims {
            instance_id: instance.id,
            generation: instance.generation,
            namespace: wanted.namespace.clone(),
            execution_id: wanted.execution_id,
            waitpoint_id: wanted.waitpoint_id,
            signal_names: wanted.signal_names.clone(),
            expires_at_us: expires_at_us(wanted.expiry, now)?,
            nonce: random::bytes(),
        };
        claims.check()?;
        Ok(claims)
    }
}

impl WaitpointTokenExpiry {
    /// Checks the bounds.
    pub(crate) fn check(self) -> Result<(), Invalid> {
        expires_at_us(self, OffsetDateTime::UNIX_EPOCH).map(drop)
    }
}

fn expires_at_us(
    expiry: WaitpointTokenExpiry,
    now: OffsetDateTime,
) -> Result<Option<i64>, Invalid> {
    let us = |at: OffsetDateTime| at.unix_timestamp_nanos() / 1_000;
    let at_us = match expiry {
        WaitpointTokenExpiry::Never => return Ok(None),
        WaitpointTokenExpiry::InMs(ms) if ms > Limits::DURATION_MS_MAX => {
            let detail = format!("{ms} ms is out of range: 0 to {}", Limits::DURATION_MS_MAX);
            return Err(Invalid::new("expires_in_ms", detail));
        }
        WaitpointTokenExpiry::InMs(ms) => us(now) + i128::from(ms) * 1_000,
        WaitpointTokenExpiry::At(at) => us(at.utc()),
    };
    i64::try_from(at_us)
        .ok()
        .filter(|us| *us >= 0)
        .map(Some)
        .ok_or_else(|| Invalid::new("expires_at", "must be after 1970"))
}
