//! revoke-api-key: accepted → refused from now on.

use model::{ApiKeyRefusal, Scope};
use uuid::Uuid;

use super::ApiKey;
use super::list::namespaces;
use crate::{Declined, Engine, Operator};

impl Engine {
    /// Has every text of a key refused from now on, and frees its name. A repeat changes
    /// nothing and is answered as the first was; a key that has expired is revoked as well.
    ///
    /// # Refusals
    /// `api_key_not_found`.
    pub async fn revoke_api_key(
        &self,
        id: Uuid,
        within: &Scope,
        actor: &str,
    ) -> Result<ApiKey, Declined<ApiKeyRefusal>> {
        Operator::check_actor(actor)?;
        let namespaces = namespaces(within);
        sqlx::query!(
            "UPDATE api_key SET revoked_at = clock_timestamp(), revoked_by = $2
             WHERE id = $1 AND revoked_at IS NULL
               AND ($3::text[] IS NULL OR namespace = ANY ($3))",
            id,
            actor,
            namespaces.as_deref() as Option<&[String]>
        )
        .execute(&self.inner.reads)
        .await?;
        let key = self.api_key(id, within).await?;
        Ok(key.ok_or_else(|| ApiKeyRefusal::NotFound(id.to_string()))?)
    }
}
