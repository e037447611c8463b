//! create-webhook: nothing → active.

use model::{EventFamily, EventFilter, EventStart, EventsRefusal, Limits, WebhookRefusal};
use uuid::Uuid;

use super::{WebhookFilter, WebhookSecret};
use crate::event::EventRequest;
use crate::{Declined, Engine, Error, Operator, random};

/// A request for a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateWebhook {
    /// Its name, which no other webhook of the namespace has; see [`model::webhook_name`].
    pub name: String,
    /// Whose events it gets; those of every namespace, and of none, when absent.
    pub namespace: Option<String>,
    /// The family of events that it gets.
    pub family: EventFamily,
    /// Which events of the family.
    pub filter: WebhookFilter,
    /// Where they are sent, 1 to 2048 bytes; the caller has checked that it is a URL.
    pub url: String,
    /// Signs what is sent; a drawn one when absent.
    pub secret: Option<WebhookSecret>,
    /// Whether it begins with the oldest event that is kept, and not with what happens from
    /// now on.
    pub from_beginning: bool,
    /// Who asks, 1 to 255 bytes.
    pub actor: String,
}

/// A webhook that was created or rotated, and its secret, which is shown nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedWebhook {
    /// The id that it keeps.
    pub id: Uuid,
    /// What signs its messages, for the receiver.
    pub secret: WebhookSecret,
}

impl Engine {
    /// Creates a webhook, which begins to be delivered.
    ///
    /// A repeat is refused because the name is taken: the secret could not be shown again.
    ///
    /// # Refusals
    /// `webhook_name_taken`; `too_many_webhooks` when there are [`Limits::WEBHOOKS_MAX`]; a
    /// name, a namespace, a filter or a URL out of bounds.
    ///
    /// # Errors
    /// [`Error::Secrets`] when this host has no key to encrypt secrets with.
    pub async fn create_webhook(
        &self,
        create: CreateWebhook,
    ) -> Result<CreatedWebhook, Declined<WebhookRefusal>> {
        model::webhook_name(&create.name)?;
        if let Some(namespace) = &create.namespace {
            model::namespace_name(namespace)?;
        }
        create.filter.within(create.namespace.as_deref())?;
        check_url(&create.url)?;
        Operator::check_actor(&create.actor)?;
        let secret = create.secret.unwrap_or_else(WebhookSecret::draw);
        let id = random::ordered_uuid();
        let wrapped = self.wrap_webhook_secret(id, &secret)?;
        let start = match create.from_beginning {
            true => EventStart::Beginning,
            false => EventStart::Now,
        };
        let cursor = self.webhook_start(create.family, &start).await?;
        let created = sqlx::query_scalar!(
            "INSERT INTO webhook (id, name, namespace, family, filter, url, secret, secret_under,
                                  cursor, created_by, changed_by)
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10
             WHERE (SELECT count(*) FROM webhook) < $11
             ON CONFLICT ON CONSTRAINT webhook_name_is_one DO NOTHING
             RETURNING id",
            id,
            create.name,
            create.namespace,
            create.family.as_str(),
            create.filter.stored(),
            create.url,
            wrapped.bytes,
            wrapped.under.as_slice(),
            cursor,
            create.actor,
            Limits::WEBHOOKS_MAX
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        if created.is_some() {
            return Ok(CreatedWebhook { id, secret });
        }
        let taken = self.webhook_named(&create.name, create.namespace.as_deref());
        Err(match taken.await? {
            Some(_) => WebhookRefusal::NameTaken(create.name).into(),
            None => WebhookRefusal::TooMany.into(),
        })
    }

    /// Returns the cursor that a webhook of a family begins with.
    async fn webhook_start(
        &self,
        family: EventFamily,
        start: &EventStart,
    ) -> Result<String, Error> {
        if let EventStart::Beginning = start {
            return Ok(self.event_cursor(family, model::EventPlace::START).0);
        }
        let request = EventRequest {
            family,
            filter: EventFilter::default(),
            limit: 1,
        };
        let page = self.events(&request, start).await;
        let page = page.map_err(
            |declined: Declined<EventsRefusal>| match declined.refusal() {
                Ok(refusal) => {
                    unreachable!("invariant: a start without a cursor is not refused: {refusal}")
                }
                Err(fault) => fault,
            },
        );
        Ok(page?.cursor.0)
    }

    /// Returns the id of the webhook of this name in exactly this namespace, or of none.
    async fn webhook_named(
        &self,
        name: &str,
        namespace: Option<&str>,
    ) -> Result<Option<Uuid>, Error> {
        let found = sqlx::query_scalar!(
            "SELECT id FROM webhook WHERE name = $1 AND namespace IS NOT DISTINCT FROM $2",
            name,
            namespace
        );
        Ok(found.fetch_optional(&self.inner.reads).await?)
    }
}

/// Checks the length of a URL; what it leads to is checked by the client that sends.
pub(super) fn check_url(url: &str) -> Result<(), model::Invalid> {
    let max = Limits::WEBHOOK_URL_BYTES_MAX;
    model::ensure("url", (1..=max).contains(&url.len()), || {
        format!("must have 1 to {max} bytes")
    })
}
