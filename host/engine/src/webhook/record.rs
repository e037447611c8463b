//! What a host records of the webhooks it delivers: accepted, failed, the end of a turn.

use std::time::Duration;

use model::{EventCursor, WebhookState, webhook_pause_ms};

use super::WebhookTurn;
use crate::row::label;
use crate::{Engine, Error, random};

/// Most bytes of the error of a try.
const ERROR_BYTES_MAX: usize = 900;

/// A try that did not deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDelivery {
    /// What the receiver answered; absent if it did not.
    pub status: Option<u16>,
    /// Why it failed, for people; its end is left out beyond some 900 bytes.
    pub error: String,
    /// Whether the receiver says that it wants no more events, which pauses the webhook.
    pub gone: bool,
    /// How long the receiver asks to be left alone.
    pub pause: Option<Duration>,
}

/// What a webhook became by a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookTry {
    /// The try was recorded, and this is the state after it.
    Recorded(WebhookState),
    /// The turn was over: another host may have delivered the same event.
    Late,
}

impl Engine {
    /// Records that the receiver accepted an event: the webhook continues at `to`. Only if
    /// the webhook still stands at `from` in this turn.
    pub async fn webhook_delivered(
        &self,
        turn: &WebhookTurn,
        from: &EventCursor,
        to: &EventCursor,
        status: u16,
    ) -> Result<WebhookTry, Error> {
        let state = sqlx::query_scalar!(
            r#"UPDATE webhook
               SET cursor = $4, failures = 0, failed_since = NULL,
                   last_try_at = clock_timestamp(), last_delivery_at = clock_timestamp(),
                   last_status = $5, last_error = NULL
               WHERE id = $1 AND turn = $2 AND cursor = $3
               RETURNING state::text AS "state!""#,
            turn.webhook.id,
            turn.turn,
            from.0,
            to.0,
            i32::from(status)
        );
        recorded(turn, state.fetch_optional(&self.inner.reads).await?)
    }

    /// Records that a try failed, and ends the turn. The event is tried again after a pause
    /// that grows with the failures; when they last for `stalled_after`, the webhook is
    /// stalled until an operator resumes it.
    pub async fn webhook_failed(
        &self,
        turn: &WebhookTurn,
        at: &EventCursor,
        failures: u32,
        failed: &FailedDelivery,
        stalled_after: Duration,
    ) -> Result<WebhookTry, Error> {
        let asked_ms = failed.pause.map(|pause| pause.as_millis() as u64);
        let pause_ms = webhook_pause_ms(failures.saturating_add(1), asked_ms, random::unit());
        let error = model::truncated(&failed.error, ERROR_BYTES_MAX);
        let state = sqlx::query_file_scalar!(
            "src/webhook/failed.sql",
            turn.webhook.id,
            turn.turn,
            at.0,
            failed.status.map(i32::from),
            &*error,
            failed.gone,
            pause_ms as i64,
            stalled_after.as_millis() as i64
        );
        recorded(turn, state.fetch_optional(&self.inner.reads).await?)
    }

    /// Ends a turn: the webhook continues at `to`, where everything before was delivered or
    /// did not fit, and another host may take it.
    pub async fn end_webhook_turn(
        &self,
        turn: &WebhookTurn,
        from: &EventCursor,
        to: &EventCursor,
    ) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE webhook
             SET cursor = CASE WHEN changed_at = $5 AND cursor = $3 THEN $4 ELSE cursor END,
                 next_try_at = clock_timestamp(), turn = NULL, turn_until = NULL
             WHERE id = $1 AND turn = $2",
            turn.webhook.id,
            turn.turn,
            from.0,
            to.0,
            turn.webhook.changed_at
        )
        .execute(&self.inner.reads)
        .await?;
        Ok(())
    }
}

fn recorded(turn: &WebhookTurn, state: Option<String>) -> Result<WebhookTry, Error> {
    Ok(match state {
        Some(state) => WebhookTry::Recorded(label("webhook", "state", turn.webhook.id, &state)?),
        None => WebhookTry::Late,
    })
}
