//! One turn of a webhook: its events are sent one after the other, each after the receiver
//! accepted the one before.

use std::sync::Arc;
use std::time::Duration;

use egress::Client;
use engine::{Engine, Error, FailedDelivery, WebhookEvents, WebhookTry, WebhookTurn};
use model::{EventCursor, EventPlace, WebhookAnswer, WebhookState};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{Figures, Message};
use crate::api::{MessageBody, MissedBody};

/// Events that are read at once.
const PAGE: u32 = 100;
/// How long a turn waits for an event. Then the webhook is open to other hosts, and this host
/// to other webhooks.
const WAIT: Duration = Duration::from_secs(5);
/// How long a webhook with many events keeps its turn while others may be waiting.
const TURN_MAX: Duration = Duration::from_secs(20);
/// Time by which a turn outlasts the longest try.
const TURN_MARGIN: Duration = Duration::from_secs(30);
/// Pause of a turn after the log could not be read.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

/// What a host delivers webhooks with.
#[derive(Clone)]
pub(super) struct Deliverer {
    pub(super) engine: Engine,
    pub(super) client: Arc<Client>,
    pub(super) figures: Arc<Figures>,
    pub(super) stalled_after: Duration,
    pub(super) stop: watch::Receiver<bool>,
}

/// A turn, and how far it is.
struct Turn<'a> {
    with: &'a Deliverer,
    turn: &'a WebhookTurn,
    /// Where the webhook stands in the database.
    stands: EventCursor,
    /// Where the log is read on.
    reads: EventCursor,
    failures: u32,
}

/// Whether a turn continues.
#[derive(PartialEq, Eq)]
enum Next {
    Continue,
    End,
}

impl Deliverer {
    /// Returns how long a turn lasts unless it is extended.
    pub(super) fn turn_length(&self) -> Duration {
        self.client.timeout() + TURN_MARGIN
    }

    /// Delivers a webhook until it has no event for a while, a try fails, or its time is over.
    pub(super) async fn run(&self, turn: &WebhookTurn) {
        let cursor = &turn.webhook.cursor;
        let mut running = Turn {
            with: self,
            turn,
            stands: cursor.clone(),
            reads: cursor.clone(),
            failures: turn.webhook.failures,
        };
        if let Err(error) = running.deliver().await {
            warn!(%error, webhook = %turn.webhook.id, "a webhook could not be delivered");
            tokio::time::sleep(ERROR_PAUSE).await;
        }
        // If this fails, the turn ends by its time.
        let ended = self
            .engine
            .end_webhook_turn(turn, &running.stands, &running.reads);
        if let Err(error) = ended.await {
            debug!(%error, webhook = %turn.webhook.id, "the turn of a webhook ends by its time");
        }
    }
}

impl Turn<'_> {
    async fn deliver(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let mut stop = self.with.stop.clone();
        while began.elapsed() < TURN_MAX && !*stop.borrow() {
            let events = self
                .with
                .engine
                .webhook_events(self.turn, &self.reads, PAGE, WAIT);
            let events = tokio::select! {
                events = events => events?,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            };
            match events {
                WebhookEvents::Missed { from, until, to } => {
                    let id = self
                        .with
                        .engine
                        .webhook_message_id(self.turn, "missed", until);
                    let missed = |now| {
                        // Places tell how much happens in namespaces of others.
                        let everywhere = self.turn.webhook.namespace.is_none();
                        let shown = |place: EventPlace| everywhere.then(|| place.to_string());
                        let data = MissedBody {
                            from: from.and_then(shown),
                            to: shown(until),
                        };
                        let kind = "webhook.missed".to_owned();
                        Message::new(
                            id,
                            &MessageBody {
                                kind,
                                timestamp: now,
                                data,
                            },
                        )
                    };
                    if self.send(&to, None, missed).await? == Next::End {
                        return Ok(());
                    }
                }
                WebhookEvents::Page(page) => {
                    for event in &page.events {
                        if *stop.borrow() {
                            return Ok(());
                        }
                        let body = MessageBody::of_event(event, self.turn.webhook.family);
                        let place = event.logged.place;
                        let id = self
                            .with
                            .engine
                            .webhook_message_id(self.turn, "event", place);
                        let message = |_| Message::new(id, &body);
                        let at = Some(event.logged.at);
                        if self.send(&event.cursor, at, message).await? == Next::End {
                            return Ok(());
                        }
                    }
                    self.reads = page.cursor;
                    if page.events.is_empty() && !page.more {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends the message about what comes up to a cursor and happened `at` a time, and records
    /// the try.
    async fn send(
        &mut self,
        to: &EventCursor,
        at: Option<OffsetDateTime>,
        message: impl FnOnce(OffsetDateTime) -> Message,
    ) -> Result<Next, Error> {
        let Deliverer {
            engine,
            client,
            figures,
            ..
        } = self.with;
        let length = self.with.turn_length();
        let webhook = &self.turn.webhook;
        let Some(now) = engine.extend_webhook_turn(self.turn, length).await? else {
            return Ok(Next::End);
        };
        let message = message(now);
        let sent = message
            .send(client, &webhook.url, &self.turn.secrets, now)
            .await;
        figures.tried(sent.answer);
        if let (WebhookAnswer::Accepted, Some(status)) = (sent.answer, sent.status) {
            let recorded = engine.webhook_delivered(self.turn, &self.stands, to, status);
            let recorded = recorded.await?;
            if recorded == WebhookTry::Late {
                return Ok(Next::End);
            }
            if let Some(at) = at {
                figures.accepted(now - at);
            }
            self.stands = to.clone();
            self.reads = to.clone();
            self.failures = 0;
            return Ok(match recorded {
                WebhookTry::Recorded(WebhookState::Active) => Next::Continue,
                _ => Next::End,
            });
        }
        let failed = FailedDelivery {
            status: sent.status,
            error: sent.error.unwrap_or_default(),
            gone: sent.answer == WebhookAnswer::Gone,
            pause: sent.pause,
        };
        let (stands, failures) = (&self.stands, self.failures);
        let recorded = engine.webhook_failed(
            self.turn,
            stands,
            failures,
            &failed,
            self.with.stalled_after,
        );
        match recorded.await? {
            WebhookTry::Recorded(state @ (WebhookState::Stalled | WebhookState::Paused)) => {
                figures.ended(state);
                warn!(webhook = %webhook.id, name = webhook.name, %state, error = failed.error, "a webhook is not delivered any more");
            }
            _ => {
                debug!(webhook = %webhook.id, name = webhook.name, error = failed.error, "a try of a webhook failed")
            }
        }
        Ok(Next::End)
    }
}
