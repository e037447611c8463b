//! create-api-key: nothing → accepted.

use model::{ApiKeyRefusal, Invalid, Limits, RoleGrant, check_range};
use uuid::Uuid;

use super::ApiKeyText;
use crate::{Declined, Engine, Operator, random};

/// A request for an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateApiKey {
    /// Its name, which no other key has that is accepted; see [`model::api_key_name`].
    pub name: String,
    /// What it may do, and where.
    pub grant: RoleGrant,
    /// How long it is accepted, in milliseconds, 1 to ten years; forever when absent.
    pub expires_in_ms: Option<u64>,
    /// Who asks, 1 to 255 bytes.
    pub actor: String,
}

/// A key that was created, and its text, which is nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedApiKey {
    /// The id that it keeps when it is rotated.
    pub id: Uuid,
    /// Its text, for the caller alone.
    pub text: ApiKeyText,
}

impl Engine {
    /// Creates an API key. The name of a key that was revoked or has expired is free.
    ///
    /// A repeat is refused because the name is taken: its text could not be shown again.
    ///
    /// # Refusals
    /// `api_key_name_taken`; a name, a namespace or a lifetime out of bounds.
    pub async fn create_api_key(
        &self,
        create: CreateApiKey,
    ) -> Result<CreatedApiKey, Declined<ApiKeyRefusal>> {
        create.check()?;
        let text = ApiKeyText::draw();
        let hash = text.hash();
        let id = sqlx::query_file_scalar!(
            "src/credential/create.sql",
            random::ordered_uuid(),
            create.name,
            create.grant.role.as_str(),
            create.grant.namespace,
            create.actor,
            create.expires_in_ms.map(|ms| ms as i64),
            hash.column(),
            text.shown()
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        match id {
            Some(id) => Ok(CreatedApiKey { id, text }),
            None => Err(ApiKeyRefusal::NameTaken(create.name).into()),
        }
    }
}

impl CreateApiKey {
    fn check(&self) -> Result<(), Invalid> {
        model::api_key_name(&self.name)?;
        if let Some(namespace) = &self.grant.namespace {
            model::namespace_name(namespace)?;
        }
        if let Some(ms) = self.expires_in_ms {
            check_range("expires_in_ms", ms, 1..=Limits::DURATION_MS_MAX)?;
        }
        Operator::check_actor(&self.actor)
    }
}
