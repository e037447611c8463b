//! Lists waitpoint keys, never their secrets.

use model::WaitpointKeyState;
use time::OffsetDateTime;

use crate::row::StoredTime;
use crate::row::label;
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

impl Engine {
    /// Lists the keys, the active one first, then by their end, latest first; at
    /// most a thousand.
    pub async fn waitpoint_keys(&self) -> Result<Page<WaitpointKey>, Error> {
        Page::whole(self.read_keys(None).await?)
    }

    /// Reads the key with this id; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when its row cannot be read.
    pub async fn waitpoint_key(&self, kid: &str) -> Result<Option<WaitpointKey>, Error> {
        self.read_keys(Some(kid)).await?.pop().transpose()
    }

    async fn read_keys(
        &self,
        kid: Option<&str>,
    ) -> Result<Vec<Result<WaitpointKey, Error>>, Error> {
        let rows = sqlx::query!(
            r#"SELECT kid, state::text AS "state!", created_at, created_by,
                      not_after AS "not_after: StoredTime", retired_by,
                      kid IN (SELECT a.kid FROM accepted_waitpoint_key a) AS "accepted!"
               FROM waitpoint_key WHERE $1::text IS NULL OR kid = $1
               ORDER BY not_after DESC NULLS FIRST, kid LIMIT 1000"#,
            kid
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let read = rows.into_iter().map(|row| {
            Ok(WaitpointKey {
                state: label("waitpoint_key", "state", &row.kid, &row.state)?,
                accepted: row.accepted,
                created_at: row.created_at,
                created_by: row.created_by,
                not_after: row
                    .not_after
                    .map(|at| at.read("waitpoint_key", "not_after", &row.kid))
                    .transpose()?,
                retired_by: row.retired_by,
                kid: row.kid,
            })
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
