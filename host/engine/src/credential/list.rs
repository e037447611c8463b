//! Lists API keys, never their texts.

use model::{Limits, Role, Scope};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::row::{StoredTime, label};
use crate::{Engine, Error, Page};

/// An API key, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, which stays when it is rotated.
    pub id: Uuid,
    /// Its name; credentials are named `key:<name>`.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Where; in every namespace, and to what belongs to none, when absent.
    pub namespace: Option<String>,
    /// Whether it was accepted when this was read.
    pub accepted: bool,
    /// When it was created, by the database's clock.
    pub created_at: OffsetDateTime,
    /// The caller that created it, by credential and word.
    pub created_by: String,
    /// When it expires or expired; absent if it never does.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// The caller that revoked it; absent before.
    pub revoked_by: Option<String>,
    /// Its texts that have not ended, the current one first.
    pub texts: Vec<ApiKeyTextInfo>,
}

/// What people may see of a text of an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyTextInfo {
    /// Its beginning, by which people recognize it.
    pub shown: String,
    /// Until when it is accepted; absent for the current one.
    pub valid_until: Option<OffsetDateTime>,
}

/// Which keys are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyFilter {
    /// Only those of these namespaces.
    pub within: Scope,
    /// Only those that have or had this name.
    pub name: Option<String>,
    /// Only those that are accepted now.
    pub accepted_only: bool,
}

impl Engine {
    /// Lists API keys, newest first, after an id; at most `limit`, which is at most
    /// [`Limits::PAGE_MAX`].
    pub async fn api_keys(
        &self,
        filter: &ApiKeyFilter,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Page<ApiKey, Uuid>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let rows = self.read_api_keys(None, filter, after, limit + 1);
        Page::read(limit, rows.await?)
    }

    /// Reads the key with this id; `None` if there is none within the scope.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when its row cannot be read.
    pub async fn api_key(&self, id: Uuid, within: &Scope) -> Result<Option<ApiKey>, Error> {
        let filter = ApiKeyFilter {
            within: within.clone(),
            name: None,
            accepted_only: false,
        };
        let found = self.read_api_keys(Some(id), &filter, None, 1).await?.pop();
        found.map(|(_, key)| key).transpose()
    }

    async fn read_api_keys(
        &self,
        id: Option<Uuid>,
        filter: &ApiKeyFilter,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<(Uuid, Result<ApiKey, Error>)>, Error> {
        let within = namespaces(&filter.within);
        let rows = sqlx::query_file!(
            "src/credential/list.sql",
            id,
            after,
            filter.accepted_only,
            i64::from(limit),
            within.as_deref() as Option<&[String]>,
            filter.name
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let read = rows.into_iter().map(|row| {
            let at = |column, at: StoredTime| at.read("api_key", column, row.id);
            let perhaps = |column, it: Option<StoredTime>| it.map(|it| at(column, it)).transpose();
            let text = |(shown, until): (String, Option<StoredTime>)| {
                let until = until.map(|it| it.read("api_key_secret", "valid_until", row.id));
                Ok(ApiKeyTextInfo {
                    shown,
                    valid_until: until.transpose()?,
                })
            };
            let read = || {
                Ok(ApiKey {
                    id: row.id,
                    role: label("api_key", "role", row.id, &row.role)?,
                    created_at: at("created_at", row.created_at)?,
                    expires_at: perhaps("expires_at", row.expires_at)?,
                    last_used_at: perhaps("last_used_at", row.last_used_at)?,
                    revoked_at: perhaps("revoked_at", row.revoked_at)?,
                    texts: std::iter::zip(row.shown, row.valid_until)
                        .map(text)
                        .collect::<Result<_, Error>>()?,
                    name: row.name,
                    namespace: row.namespace,
                    accepted: row.accepted,
                    created_by: row.created_by,
                    revoked_by: row.revoked_by,
                })
            };
            (row.id, read())
        });
        Ok(read.collect())
    }
}

/// Returns the namespaces of a scope as a database parameter: `None` for all of them.
pub(super) fn namespaces(within: &Scope) -> Option<Vec<String>> {
    match within {
        Scope::Everywhere => None,
        Scope::Namespaces(names) => Some(names.iter().cloned().collect()),
    }
}
