//! A message on its way to a receiver.

use std::time::Duration;

use egress::{Bytes, Client, HeaderMap, LongBody, Method, Request, Target, header};
use engine::{WebhookMessage, WebhookSecret};
use model::WebhookAnswer;
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::api::{MessageBody, PingBody};

/// Most seconds of a `Retry-After` that are read.
const RETRY_AFTER_S_MAX: u64 = 24 * 3600;

/// A message: the same bytes in every try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    id: String,
    body: Bytes,
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What the receiver answered; absent if it did not.
    pub status: Option<u16>,
    /// What its answer means.
    pub answer: WebhookAnswer,
    /// Why it did not accept; absent if it did.
    pub error: Option<String>,
    /// How long it asks to be left alone.
    pub pause: Option<Duration>,
}

impl Message {
    /// Writes a message. The id has no dot.
    pub fn new<T: Serialize>(id: String, body: &MessageBody<T>) -> Self {
        let body = serde_json::to_vec(body).expect("invariant: messages can be written as JSON");
        let body = body.into();
        Self { id, body }
    }

    /// Sends the message, signed by each of the secrets; `now` is the time by the database's
    /// clock.
    pub async fn send(
        &self,
        client: &Client,
        url: &str,
        secrets: &[WebhookSecret],
        now: OffsetDateTime,
    ) -> Sent {
        let target: Target = match url.parse() {
            Ok(target) => target,
            Err(error) => return Sent::failed(format!("the URL {error}")),
        };
        let message = WebhookMessage {
            id: &self.id,
            timestamp_s: now.unix_timestamp(),
            body: &self.body,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json".to_owned()),
            (
                "user-agent",
                concat!("flowhost/", env!("CARGO_PKG_VERSION")).to_owned(),
            ),
            ("webhook-id", self.id.clone()),
            ("webhook-timestamp", message.timestamp_s.to_string()),
            ("webhook-signature", message.signatures(secrets)),
        ] {
            let value = value
                .parse()
                .expect("invariant: ids and signatures are ASCII");
            headers.insert(name, value);
        }
        let request = Request {
            method: Method::POST,
            target,
            headers,
            body: self.body.clone(),
            // The status says all.
            long_body: LongBody::Cut,
        };
        match client.send(request).await {
            Err(error) => Sent::failed(error.to_string()),
            Ok(answer) => {
                let status = answer.status.as_u16();
                let meaning = WebhookAnswer::of_status(status);
                let failed = meaning != WebhookAnswer::Accepted;
                Sent {
                    status: Some(status),
                    answer: meaning,
                    error: failed.then(|| format!("the receiver answered {status}")),
                    pause: retry_after(&answer.headers),
                }
            }
        }
    }
}

impl Sent {
    fn failed(error: String) -> Self {
        Self {
            status: None,
            answer: WebhookAnswer::Failed,
            error: Some(error),
            pause: None,
        }
    }
}

/// Builds the message with which an operator tries whether a receiver is reached.
pub fn ping(webhook_id: Uuid, now: OffsetDateTime) -> Message {
    let body = MessageBody {
        kind: "webhook.ping".to_owned(),
        timestamp: now,
        data: PingBody { webhook_id },
    };
    let id = format!(
        "ping_{}_{}",
        webhook_id.simple(),
        now.unix_timestamp_nanos()
    );
    Message::new(id, &body)
}

/// Returns how long a receiver asks to be left alone, if it says so in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = seconds.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(RETRY_AFTER_S_MAX)))
}
