//! A turn: for a while one host delivers a webhook.

use std::time::Duration;

use model::WebhookRefusal;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Webhook, WebhookSecret};
use crate::{Declined, Engine, Error, random};

/// A webhook whose receiver is to be tried, and what signs the message.
#[derive(Debug, Clone)]
pub struct TestWebhook {
    /// The webhook as it is.
    pub webhook: Webhook,
    /// What signs its messages, the newest secret first.
    pub secrets: Vec<WebhookSecret>,
    /// The time by the database's clock.
    pub now: OffsetDateTime,
}

/// The right of one host to deliver a webhook for a while.
#[derive(Debug, Clone)]
pub struct WebhookTurn {
    /// The webhook as it was when the turn began.
    pub webhook: Webhook,
    /// What signs its messages, the newest secret first.
    pub secrets: Vec<WebhookSecret>,
    /// Tells it from every other turn.
    pub(super) turn: Uuid,
}

impl Engine {
    /// Takes up to `max` webhooks that are active, due and delivered by no host, for a turn
    /// of `length`, the least recently due first.
    ///
    /// One whose row or secret this host cannot read is passed by until the turn would have
    /// ended, so that another host may.
    pub async fn take_webhooks(
        &self,
        max: u32,
        length: Duration,
    ) -> Result<Vec<WebhookTurn>, Error> {
        let turn = random::uuid();
        let taken = sqlx::query_file_scalar!(
            "src/webhook/turn.sql",
            turn,
            length.as_millis() as i64,
            i64::from(max)
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let mut turns = Vec::with_capacity(taken.len());
        for id in taken {
            match self.webhook_turn(id, turn).await {
                Ok(taken) => turns.extend(taken),
                Err(error) if error.is_unavailable() => return Err(error),
                Err(error) => {
                    tracing::error!(%error, %id, "a webhook cannot be read and is passed by")
                }
            }
        }
        Ok(turns)
    }

    /// Reads what a message to the receiver of a webhook needs, to try whether it arrives.
    /// Nothing is recorded.
    ///
    /// # Refusals
    /// `webhook_not_found`.
    pub async fn test_webhook(
        &self,
        id: Uuid,
        within: Option<&str>,
    ) -> Result<TestWebhook, Declined<WebhookRefusal>> {
        Ok(TestWebhook {
            webhook: self.existing_webhook(id, within).await?,
            secrets: self.webhook_secrets(id, within).await?,
            now: self.now().await?,
        })
    }

    /// Reads what was taken; `None` if it was deleted since.
    async fn webhook_turn(&self, id: Uuid, turn: Uuid) -> Result<Option<WebhookTurn>, Error> {
        let Some(webhook) = self.webhook(id, None).await? else {
            return Ok(None);
        };
        let secrets = match self.webhook_secrets(id, None).await {
            Ok(secrets) => secrets,
            Err(Declined::Refused(_)) => return Ok(None),
            Err(Declined::Fault(fault)) => return Err(fault),
        };
        Ok(Some(WebhookTurn {
            webhook,
            secrets,
            turn,
        }))
    }

    /// Extends a turn before a try, so that it lasts `length` from now; returns the time by
    /// the database's clock. `None` when the turn is over: another host may have it, or the
    /// webhook was changed, paused or deleted.
    pub async fn extend_webhook_turn(
        &self,
        turn: &WebhookTurn,
        length: Duration,
    ) -> Result<Option<OffsetDateTime>, Error> {
        let now = sqlx::query_scalar!(
            r#"UPDATE webhook
               SET turn_until = clock_timestamp() + $4::bigint * interval '1 millisecond'
               WHERE id = $1 AND turn = $2 AND turn_until > clock_timestamp()
                 AND state = 'active' AND changed_at = $3
               RETURNING clock_timestamp() AS "now!""#,
            turn.webhook.id,
            turn.turn,
            turn.webhook.changed_at,
            length.as_millis() as i64
        );
        Ok(now.fetch_optional(&self.inner.reads).await?)
    }
}
