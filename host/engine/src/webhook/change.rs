//! update, pause and resume of a webhook: active ↔ paused, stalled → either.

use model::{EventFilter, Limits, WebhookRefusal};
use uuid::Uuid;

use super::create::check_url;
use super::{Webhook, WebhookFilter};
use crate::{Declined, Engine, Operator};

/// What shall be different about a webhook; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpdateWebhook {
    /// Where events are sent from now on.
    pub url: Option<String>,
    /// Which events are sent from now on; replaces the whole filter.
    pub filter: Option<WebhookFilter>,
    /// Who asks, 1 to 255 bytes.
    pub actor: String,
}

impl Engine {
    /// Changes where and which events are sent, from the next event on. The present try may
    /// still be of the webhook as it was.
    ///
    /// # Refusals
    /// `webhook_not_found`; a filter or a URL out of bounds.
    pub async fn update_webhook(
        &self,
        id: Uuid,
        within: Option<&str>,
        update: UpdateWebhook,
    ) -> Result<Webhook, Declined<WebhookRefusal>> {
        if let Some(url) = &update.url {
            check_url(url)?;
        }
        if let Some(filter) = &update.filter {
            let _fits: EventFilter = filter.within(within)?;
        }
        Operator::check_actor(&update.actor)?;
        sqlx::query!(
            "UPDATE webhook
             SET url = coalesce($3, url), filter = coalesce($4, filter),
                 next_try_at = clock_timestamp(),
                 changed_at = clock_timestamp(), changed_by = $5
             WHERE id = $1 AND ($2::text IS NULL OR namespace = $2)",
            id,
            within,
            update.url,
            update.filter.as_ref().map(WebhookFilter::stored),
            update.actor
        )
        .execute(&self.inner.reads)
        .await?;
        self.existing_webhook(id, within).await
    }

    /// Stops the delivery of a webhook after the present try. Its events are delivered when
    /// it is resumed, as far as they are still kept. A repeat changes the reason.
    ///
    /// # Refusals
    /// `webhook_not_found`; a reason out of bounds.
    pub async fn pause_webhook(
        &self,
        id: Uuid,
        within: Option<&str>,
        reason: Option<&str>,
        actor: &str,
    ) -> Result<Webhook, Declined<WebhookRefusal>> {
        Operator::check_actor(actor)?;
        let reason = reason.unwrap_or("an operator paused it");
        let max = Limits::REASON_BYTES_MAX;
        let fits = reason.len() <= max && !reason.contains('\0');
        model::ensure("reason", fits, || {
            format!("must have at most {max} bytes, without U+0000")
        })?;
        sqlx::query!(
            "UPDATE webhook
             SET state = 'paused', reason = $3, changed_at = clock_timestamp(), changed_by = $4
             WHERE id = $1 AND ($2::text IS NULL OR namespace = $2)",
            id,
            within,
            reason,
            actor
        )
        .execute(&self.inner.reads)
        .await?;
        self.existing_webhook(id, within).await
    }

    /// Has a webhook delivered from where it stood, immediately and with no failures
    /// counted. One that is active is tried immediately.
    ///
    /// # Refusals
    /// `webhook_not_found`.
    pub async fn resume_webhook(
        &self,
        id: Uuid,
        within: Option<&str>,
        actor: &str,
    ) -> Result<Webhook, Declined<WebhookRefusal>> {
        Operator::check_actor(actor)?;
        sqlx::query!(
            "UPDATE webhook
             SET state = 'active', reason = NULL, failures = 0, failed_since = NULL,
                 next_try_at = clock_timestamp(),
                 changed_at = clock_timestamp(), changed_by = $3
             WHERE id = $1 AND ($2::text IS NULL OR namespace = $2)",
            id,
            within,
            actor
        )
        .execute(&self.inner.reads)
        .await?;
        self.existing_webhook(id, within).await
    }

    pub(super) async fn existing_webhook(
        &self,
        id: Uuid,
        within: Option<&str>,
    ) -> Result<Webhook, Declined<WebhookRefusal>> {
        let webhook = self.webhook(id, within).await?;
        Ok(webhook.ok_or_else(|| WebhookRefusal::NotFound(id.to_string()))?)
    }
}
