//! Lists webhooks, never their secrets.

use model::{EventCursor, EventFamily, Limits, WebhookState};
use time::OffsetDateTime;
use uuid::Uuid;

use super::WebhookFilter;
use crate::row::{StoredTime, count, label, optional_time};
use crate::{Engine, Error, Page};

/// A webhook, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id, which stays when it is changed.
    pub id: Uuid,
    /// Its name, which no other webhook of the namespace has.
    pub name: String,
    /// Whose events it gets; those of every namespace, and of none, when absent.
    pub namespace: Option<String>,
    /// The family of events that it gets.
    pub family: EventFamily,
    /// Which events of the family.
    pub filter: WebhookFilter,
    /// Where they are sent.
    pub url: String,
    /// Whether they are sent.
    pub state: WebhookState,
    /// Why it is paused or stalled; absent while it is active.
    pub reason: Option<String>,
    /// Everything up to there was delivered or does not fit.
    pub cursor: EventCursor,
    /// Tries of the next event that failed.
    pub failures: u32,
    /// When the first of them failed; absent without any.
    pub failed_since: Option<OffsetDateTime>,
    /// When it is tried next, if it is active.
    pub next_try_at: OffsetDateTime,
    /// When it was tried last; absent before the first try.
    pub last_try_at: Option<OffsetDateTime>,
    /// What the receiver answered to the last try; absent if it did not.
    pub last_status: Option<u16>,
    /// Why the last try failed; absent if it did not.
    pub last_error: Option<String>,
    /// When the receiver last accepted an event.
    pub last_delivery_at: Option<OffsetDateTime>,
    /// Until when the secret before the last rotation signs too; absent if it does not.
    pub old_secret_until: Option<OffsetDateTime>,
    /// When it was created, by the database's clock.
    pub created_at: OffsetDateTime,
    /// The caller that created it, by credential and word.
    pub created_by: String,
    /// When it was changed last, or changed its state.
    pub changed_at: OffsetDateTime,
    /// The caller that changed it last; `delivery` for the host that delivers.
    pub changed_by: String,
}

/// How many webhooks there are, and how they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookCounts {
    /// Webhooks in each state.
    pub states: Vec<(WebhookState, u64)>,
    /// For how long the active one that has failed longest has been failing, in
    /// milliseconds; 0 if none is.
    pub failing_ms: u64,
}

impl Engine {
    /// Counts the webhooks of all namespaces; there are at most
    /// [`Limits::WEBHOOKS_MAX`].
    pub async fn webhook_counts(&self) -> Result<WebhookCounts, Error> {
        let row = sqlx::query!(
            r#"SELECT count(*) FILTER (WHERE state = 'active') AS "active!",
                      count(*) FILTER (WHERE state = 'paused') AS "paused!",
                      count(*) FILTER (WHERE state = 'stalled') AS "stalled!",
                      (extract(epoch FROM statement_timestamp()
                           - coalesce(min(failed_since) FILTER (WHERE state = 'active'),
                                      statement_timestamp())) * 1000)::bigint AS "failing_ms!"
               FROM webhook"#
        )
        .fetch_one(&self.inner.reads)
        .await?;
        let states = [
            (WebhookState::Active, row.active),
            (WebhookState::Paused, row.paused),
            (WebhookState::Stalled, row.stalled),
        ];
        Ok(WebhookCounts {
            states: states
                .map(|(state, count)| (state, count.unsigned_abs()))
                .into(),
            failing_ms: u64::try_from(row.failing_ms).unwrap_or(0),
        })
    }

    /// Lists webhooks, newest first, after an id; at most `limit`, which is at most
    /// [`Limits::PAGE_MAX`]. `within` is the only namespace that is listed; all webhooks
    /// when absent.
    pub async fn webhooks(
        &self,
        within: Option<&str>,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Page<Webhook, Uuid>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let rows = self.read_webhooks(None, within, after, limit + 1);
        Page::read(limit, rows.await?)
    }

    /// Reads the webhook with this id; `None` if there is none within the namespace.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when its row cannot be read.
    pub async fn webhook(&self, id: Uuid, within: Option<&str>) -> Result<Option<Webhook>, Error> {
        let found = self.read_webhooks(Some(id), within, None, 1).await?.pop();
        found.map(|(_, webhook)| webhook).transpose()
    }

    async fn read_webhooks(
        &self,
        id: Option<Uuid>,
        within: Option<&str>,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<(Uuid, Result<Webhook, Error>)>, Error> {
        let rows = sqlx::query_file!("src/webhook/list.sql", id, after, i64::from(limit), within)
            .fetch_all(&self.inner.reads)
            .await?;
        let read = rows.into_iter().map(|row| {
            let at = |column, at: StoredTime| at.read("webhook", column, row.id);
            let perhaps = |column, at| optional_time("webhook", column, row.id, at);
            let read = || {
                Ok(Webhook {
                    id: row.id,
                    family: label("webhook", "family", row.id, &row.family)?,
                    filter: serde_json::from_str(&row.filter)
                        .map_err(|error| Error::corrupt("webhook", "filter", row.id, error))?,
                    state: label("webhook", "state", row.id, &row.state)?,
                    failed_since: perhaps("failed_since", row.failed_since)?,
                    next_try_at: at("next_try_at", row.next_try_at)?,
                    last_try_at: perhaps("last_try_at", row.last_try_at)?,
                    last_delivery_at: perhaps("last_delivery_at", row.last_delivery_at)?,
                    old_secret_until: perhaps("old_secret_until", row.old_secret_until)?,
                    created_at: at("created_at", row.created_at)?,
                    changed_at: at("changed_at", row.changed_at)?,
                    name: row.name,
                    namespace: row.namespace,
                    url: row.url,
                    reason: row.reason,
                    cursor: EventCursor(row.cursor),
                    failures: count(row.failures),
                    last_status: row
                        .last_status
                        .and_then(|status| u16::try_from(status).ok()),
                    last_error: row.last_error,
                    created_by: row.created_by,
                    changed_by: row.changed_by,
                })
            };
            (row.id, read())
        });
        Ok(read.collect())
    }
}
