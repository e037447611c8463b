//! Lists waitpoint keys, never their secrets.

use std::fmt;
use std::str::FromStr;

use model::{Limits, WaitpointKeyState};
use time::OffsetDateTime;

use crate::row::{StoredTime, label, optional_time};
use crate::{Engine, Error, Page};

/// A key that signs waitpoint tokens, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitpointKey {
    /// Its id, which the tokens it signed carry.
    pub kid: String,
    /// Whether it signs new tokens, verifies old ones or is retired.
    pub state: WaitpointKeyState,
    /// Whether its tokens were accepted when this was read.
    pub accepted: bool,
    /// When it was created, by the database's clock.
    pub created_at: OffsetDateTime,
    /// The operator who created it.
    pub created_by: String,
    /// Until when its tokens are accepted; absent while it signs.
    pub not_after: Option<OffsetDateTime>,
    /// The operator who rotated it away or retired it; absent while it signs.
    pub retired_by: Option<String>,
}

/// The place of a key in the list of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitpointKeyPlace {
    /// Until when its tokens are accepted; `infinity` while it signs.
    until: StoredTime,
    kid: String,
}

/// A text that is not a [`WaitpointKeyPlace`].
#[derive(Debug, thiserror::Error)]
#[error("is not a place in the list of keys")]
pub struct WaitpointKeyPlaceError;

impl fmt::Display for WaitpointKeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.until, self.kid)
    }
}

impl FromStr for WaitpointKeyPlace {
    type Err = WaitpointKeyPlaceError;

    fn from_str(text: &str) -> Result<Self, WaitpointKeyPlaceError> {
        let read = || {
            let (until, kid) = text.split_once('.')?;
            Some(Self {
                until: until.parse().ok()?,
                kid: kid.to_owned(),
            })
        };
        read().ok_or(WaitpointKeyPlaceError)
    }
}

type PlacedKey = (WaitpointKeyPlace, Result<WaitpointKey, Error>);

impl Engine {
    /// Lists keys, the active one first, then by their end, latest first, after a place; at
    /// most `limit`, which is at most [`Limits::PAGE_MAX`].
    pub async fn waitpoint_keys(
        &self,
        after: Option<&WaitpointKeyPlace>,
        limit: u32,
    ) -> Result<Page<WaitpointKey, WaitpointKeyPlace>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        Page::read(limit, self.read_keys(None, after, limit + 1).await?)
    }

    /// Reads the key with this id; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when its row cannot be read.
    pub async fn waitpoint_key(&self, kid: &str) -> Result<Option<WaitpointKey>, Error> {
        let found = self.read_keys(Some(kid), None, 1).await?.pop();
        found.map(|(_, key)| key).transpose()
    }

    async fn read_keys(
        &self,
        kid: Option<&str>,
        after: Option<&WaitpointKeyPlace>,
        limit: u32,
    ) -> Result<Vec<PlacedKey>, Error> {
        let rows = sqlx::query!(
            r#"SELECT k.kid, k.state::text AS "state!", k.created_at, k.created_by,
                      k.not_after AS "not_after: StoredTime", k.retired_by,
                      k.kid IN (SELECT a.kid FROM accepted_waitpoint_key a) AS "accepted!"
               FROM waitpoint_key k
               CROSS JOIN LATERAL (SELECT coalesce(k.not_after, 'infinity')) AS ends(at)
               WHERE ($1::text IS NULL OR k.kid = $1)
                 AND ($2::timestamptz IS NULL OR ends.at < $2 OR (ends.at = $2 AND k.kid > $3))
               ORDER BY ends.at DESC, k.kid LIMIT $4"#,
            kid,
            after.map(|place| place.until) as Option<StoredTime>,
            after.map(|place| place.kid.as_str()),
            i64::from(limit),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let read = rows.into_iter().map(|row| {
            let place = WaitpointKeyPlace {
                until: row.not_after.unwrap_or(StoredTime::INFINITY),
                kid: row.kid.clone(),
            };
            let read = || {
                Ok(WaitpointKey {
                    state: label("waitpoint_key", "state", &row.kid, &row.state)?,
                    accepted: row.accepted,
                    created_at: row.created_at,
                    created_by: row.created_by,
                    not_after: optional_time(
                        "waitpoint_key",
                        "not_after",
                        &row.kid,
                        row.not_after,
                    )?,
                    retired_by: row.retired_by,
                    kid: row.kid,
                })
            };
            (place, read())
        });
        Ok(read.collect())
    }

    /// Checks that this host can sign and verify waitpoint tokens.
    ///
    /// # Errors
    /// [`Error::Secrets`] when it has no key to encrypt secrets with, or the
    /// active key was encrypted under another.
    pub async fn check_secrets(&self) -> Result<(), Error> {
        let ring = &self.inner.waitpoint_keys;
        ring.secrets()?;
        let active = sqlx::query!(
            "SELECT kid, wrapped_secret, wrapped_under FROM waitpoint_key WHERE state = 'active'"
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        if let Some(key) = active {
            ring.unwrap(&key.kid, &key.wrapped_under, &key.wrapped_secret)?;
        }
        Ok(())
    }
}
