//! What this host did with webhooks since its start, for `/metrics`.

use model::{WebhookAnswer, WebhookState};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the buckets for the age of events that receivers accepted, in seconds:
/// from an idle host to a receiver that was away for a day.
const AGE_BUCKETS: [f64; 10] = [
    0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0, 86_400.0,
];

/// A counter for each value of one label.
type ByLabel = Family<[(&'static str, &'static str); 1], Counter>;

/// What this host did with webhooks since its start. No label names a webhook, since there
/// may be a thousand.
#[derive(Debug)]
pub struct Figures {
    tries: ByLabel,
    ended: ByLabel,
    age: Histogram,
}

impl Default for Figures {
    fn default() -> Self {
        let figures = Self {
            tries: ByLabel::default(),
            ended: ByLabel::default(),
            age: Histogram::new(AGE_BUCKETS),
        };
        // So that a scrape shows each from the start.
        for result in ["accepted", "failed", "gone"] {
            drop(figures.tries.get_or_create(&[("result", result)]));
        }
        for state in ["paused", "stalled"] {
            drop(figures.ended.get_or_create(&[("state", state)]));
        }
        figures
    }
}

impl Figures {
    /// Counts a try by what the receiver answered.
    pub(super) fn tried(&self, answer: WebhookAnswer) {
        let result = match answer {
            WebhookAnswer::Accepted => "accepted",
            WebhookAnswer::Failed => "failed",
            WebhookAnswer::Gone => "gone",
        };
        self.tries.get_or_create(&[("result", result)]).inc();
    }

    /// Notes how old an event was when its receiver accepted it.
    pub(super) fn accepted(&self, age: time::Duration) {
        self.age.observe(age.as_seconds_f64().max(0.0));
    }

    /// Counts a webhook that is not delivered any more after a try.
    pub(super) fn ended(&self, state: WebhookState) {
        let state = match state {
            WebhookState::Active => return,
            WebhookState::Paused => "paused",
            WebhookState::Stalled => "stalled",
        };
        self.ended.get_or_create(&[("state", state)]).inc();
    }

    /// Registers them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "webhook_tries",
            "Messages of webhooks this host sent, by what became of them: accepted, failed or gone",
            self.tries.clone(),
        );
        registry.register(
            "webhooks_ended",
            "Webhooks that a try of this host left paused, as its receiver is gone, or stalled",
            self.ended.clone(),
        );
        registry.register(
            "webhook_event_age_seconds",
            "Age of events when their receivers accepted them",
            self.age.clone(),
        );
    }
}
