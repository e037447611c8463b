//! rotate-api-key: another text, and the old ones are accepted for the overlap.

use model::{ApiKeyRefusal, Limits, Scope, check_range};
use uuid::Uuid;

use super::list::namespaces;
use super::{ApiKeyText, CreatedApiKey};
use crate::{Declined, Engine, Error};

/// Tries of a rotation while others are under way.
const TRIES: u32 = 32;

impl Engine {
    /// Draws another text for a key. Those before are accepted for the overlap, 24 hours when
    /// absent, on every host and by the database's clock, and no longer. Name, role and id
    /// stay.
    ///
    /// A repeat is another rotation: the text of the first could not be shown again, and is
    /// accepted for the overlap like the others.
    ///
    /// # Refusals
    /// `api_key_not_found`; `api_key_ended` when it was revoked or has expired;
    /// `too_many_keys` when [`Limits::API_KEY_TEXTS_MAX`] are accepted, unless the overlap is
    /// 0; an overlap out of range.
    pub async fn rotate_api_key(
        &self,
        id: Uuid,
        within: &Scope,
        overlap_ms: Option<u64>,
    ) -> Result<CreatedApiKey, Declined<ApiKeyRefusal>> {
        let overlap_ms = overlap_ms.unwrap_or(Limits::API_KEY_OVERLAP_MS_DEFAULT);
        check_range("overlap_ms", overlap_ms, 0..=Limits::API_KEY_OVERLAP_MS_MAX)?;
        let namespaces = namespaces(within);
        let text = ApiKeyText::draw();
        let hash = text.hash();
        for _ in 0..TRIES {
            let rotated = sqlx::query_file_scalar!(
                "src/credential/rotate.sql",
                id,
                hash.column(),
                text.shown(),
                overlap_ms as i64,
                Limits::API_KEY_TEXTS_MAX as i64,
                namespaces.as_deref() as Option<&[String]>
            )
            .fetch_optional(&self.inner.reads)
            .await?;
            if let Some(id) = rotated {
                return Ok(CreatedApiKey { id, text });
            }
            let key = self.api_key(id, within).await?;
            let key = key.ok_or_else(|| ApiKeyRefusal::NotFound(id.to_string()))?;
            if !key.accepted {
                return Err(ApiKeyRefusal::Ended(key.name).into());
            }
            if overlap_ms > 0 && key.texts.len() >= Limits::API_KEY_TEXTS_MAX {
                return Err(ApiKeyRefusal::TooManyTexts(key.name).into());
            }
        }
        let many = "the API key is rotated by too many callers at the same time";
        Err(Error::Unavailable(many.to_owned()).into())
    }
}
