//! rotate-webhook-secret: another secret signs, and the one before signs too for a while;
//! and how secrets are kept.

use model::{Limits, WebhookRefusal, check_range};
use uuid::Uuid;

use super::{CreatedWebhook, WebhookSecret};
use crate::crypto::Wrapped;
use crate::{Declined, Engine, Error, Operator};

impl Engine {
    /// Gives a webhook another secret. The one before signs too for the overlap, so that a
    /// receiver with either accepts what is sent; one before that signs no more.
    ///
    /// A repeat is another rotation.
    ///
    /// # Refusals
    /// `webhook_not_found`; an overlap above [`Limits::WEBHOOK_OVERLAP_MS_MAX`].
    ///
    /// # Errors
    /// [`Error::Secrets`] when this host has no key to encrypt secrets with.
    pub async fn rotate_webhook_secret(
        &self,
        id: Uuid,
        within: Option<&str>,
        secret: Option<WebhookSecret>,
        overlap_ms: Option<u64>,
        actor: &str,
    ) -> Result<CreatedWebhook, Declined<WebhookRefusal>> {
        let overlap_ms = overlap_ms.unwrap_or(Limits::WEBHOOK_OVERLAP_MS_DEFAULT);
        check_range("overlap_ms", overlap_ms, 0..=Limits::WEBHOOK_OVERLAP_MS_MAX)?;
        Operator::check_actor(actor)?;
        let secret = secret.unwrap_or_else(WebhookSecret::draw);
        let wrapped = self.wrap_webhook_secret(id, &secret)?;
        let rotated = sqlx::query!(
            "UPDATE webhook
             SET old_secret = CASE WHEN $5::bigint > 0 THEN secret END,
                 old_secret_under = CASE WHEN $5 > 0 THEN secret_under END,
                 old_secret_until = CASE WHEN $5 > 0
                     THEN clock_timestamp() + $5 * interval '1 millisecond' END,
                 secret = $3, secret_under = $4,
                 changed_at = clock_timestamp(), changed_by = $6
             WHERE id = $1 AND ($2::text IS NULL OR namespace = $2)",
            id,
            within,
            wrapped.bytes,
            wrapped.under.as_slice(),
            overlap_ms as i64,
            actor
        )
        .execute(&self.inner.reads)
        .await?;
        match rotated.rows_affected() {
            0 => Err(WebhookRefusal::NotFound(id.to_string()).into()),
            _ => Ok(CreatedWebhook { id, secret }),
        }
    }

    /// Returns the secrets that sign what is sent now, the newest first.
    ///
    /// # Refusals
    /// `webhook_not_found`.
    ///
    /// # Errors
    /// [`Error::Secrets`] when this host cannot read the secret.
    pub(super) async fn webhook_secrets(
        &self,
        id: Uuid,
        within: Option<&str>,
    ) -> Result<Vec<WebhookSecret>, Declined<WebhookRefusal>> {
        let row = sqlx::query!(
            r#"SELECT secret, secret_under, old_secret, old_secret_under,
                      coalesce(old_secret_until > clock_timestamp(), false) AS "both!"
               FROM webhook WHERE id = $1 AND ($2::text IS NULL OR namespace = $2)"#,
            id,
            within
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        let row = row.ok_or_else(|| WebhookRefusal::NotFound(id.to_string()))?;
        let mut secrets = vec![self.unwrap_webhook_secret(id, &row.secret_under, &row.secret)?];
        if let (true, Some(under), Some(old)) = (row.both, row.old_secret_under, row.old_secret) {
            secrets.push(self.unwrap_webhook_secret(id, &under, &old)?);
        }
        Ok(secrets)
    }

    /// Encrypts a secret for its webhook.
    pub(super) fn wrap_webhook_secret(
        &self,
        id: Uuid,
        secret: &WebhookSecret,
    ) -> Result<Wrapped, Error> {
        let keys = self.inner.waitpoint_keys.secrets()?;
        Ok(keys.wrap(&self.webhook_purpose(id), secret.bytes()))
    }

    fn unwrap_webhook_secret(
        &self,
        id: Uuid,
        under: &[u8],
        bytes: &[u8],
    ) -> Result<WebhookSecret, Error> {
        let keys = self.inner.waitpoint_keys.secrets()?;
        let what = || format!("the secret of webhook {id}");
        let secret = keys.unwrap(&self.webhook_purpose(id), under, bytes, what)?;
        Ok(WebhookSecret::of_bytes(secret))
    }

    /// Returns the text that the secret of a webhook is authenticated with.
    fn webhook_purpose(&self, id: Uuid) -> String {
        format!("flowhost webhook secret\0{}\0{id}", self.instance().id)
    }
}
