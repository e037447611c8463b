//! bootstrap-api-key: no admin's key → one, for an operator who can write the database.

use model::{ApiKeyRefusal, Role, RoleGrant};

use super::{CreateApiKey, CreatedApiKey};
use crate::{Declined, Engine};

impl Engine {
    /// Creates an admin's key for every namespace, if none is accepted; with `forced` also
    /// beside others, for when their texts were lost.
    ///
    /// # Refusals
    /// `admin_key_exists`, unless forced; else as for [`Engine::create_api_key`].
    pub async fn bootstrap_api_key(
        &self,
        name: &str,
        expires_in_ms: Option<u64>,
        actor: &str,
        forced: bool,
    ) -> Result<CreatedApiKey, Declined<ApiKeyRefusal>> {
        let existing = sqlx::query_scalar!(
            "SELECT name FROM api_key
             WHERE role = 'admin' AND namespace IS NULL AND revoked_at IS NULL
               AND (expires_at IS NULL OR expires_at > clock_timestamp())
             ORDER BY id LIMIT 1"
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        if let Some(existing) = existing.filter(|_| !forced) {
            return Err(ApiKeyRefusal::AdminExists(existing).into());
        }
        let create = CreateApiKey {
            name: name.to_owned(),
            grant: RoleGrant {
                role: Role::Admin,
                namespace: None,
            },
            expires_in_ms,
            actor: actor.to_owned(),
        };
        self.create_api_key(create).await
    }
}
