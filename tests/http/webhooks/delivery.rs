//! What a receiver gets: every event, in order, signed, at least once.

use std::collections::BTreeSet;

use engine::{CreateWebhook, Engine, WebhookFilter};
use model::{EventFamily, WebhookState};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Answered, database, eventually};

use super::receiver::{Received, Receiver, allowing, started};
use crate::support::api::{Api, builder};

async fn create_webhook(api: &Api, receiver: &Receiver, more: Value) -> (String, String) {
    let body = json!({"name": "a", "url": receiver.url(), "family": "lifecycle"});
    let body = crate::support::api::with(body, more);
    let (status, body) = api.post("/v1/webhooks", body).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&body["webhook"]["id"]), text(&body["secret"]))
}

/// Creates executions that no worker runs, and returns their ids.
async fn create(api: &Api, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(api.create(json!({"kind": "echo"})).await);
    }
    ids
}

fn ids(messages: &[Received]) -> Vec<String> {
    let id = |it: &Received| {
        it.body()["data"]["execution_id"]
            .as_str()
            .map(str::to_owned)
    };
    messages.iter().filter_map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_in_order_signed_and_each_under_an_id_of_its_own() {
    let database = database().await;
    let _engine = database.engine().await;
    let api = Api::start(allowing(builder(&database)), &[]).await;
    let receiver = Receiver::start().await;
    let (_, secret) = create_webhook(&api, &receiver, json!({"filter": {"kind": "echo"}})).await;
    let (status, _) = api.post("/v1/executions", json!({"kind": "other"})).await;
    assert_eq!(status, StatusCode::CREATED);
    let created = create(&api, 5).await;
    let (status, _) = api
        .post(&format!("/v1/executions/{}/cancel", created[0]), json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    let messages = receiver.until(6).await;
    assert_eq!(ids(&messages[..5]), created);
    let kinds: Vec<_> = messages.iter().map(Received::kind).collect();
    assert_eq!(kinds[..5], ["lifecycle.created"; 5]);
    assert_eq!(kinds[5], "lifecycle.cancelled");
    let unique: BTreeSet<_> = messages.iter().map(|it| &it.id).collect();
    assert_eq!(unique.len(), 6);
    for message in &messages {
        assert_eq!(message.signature, message.signed_by(&secret));
        assert_eq!(message.body()["data"]["execution_kind"], "echo");
        assert_eq!(message.body()["data"]["namespace"], "default");
        assert_eq!(message.body()["data"]["cursor"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_accepted_is_sent_again_before_what_follows() {
    let database = database().await;
    let _engine = database.engine().await;
    let api = Api::start(allowing(builder(&database)), &[]).await;
    let receiver = Receiver::start().await;
    receiver.answers(&[200, 500, 302, 200]);
    let (id, _) = create_webhook(&api, &receiver, json!({})).await;
    let created = create(&api, 3).await;
    let messages = receiver.until(5).await;
    let second = &created[1];
    let order = [&created[0], second, second, second, &created[2]];
    assert_eq!(ids(&messages).iter().collect::<Vec<_>>(), order);
    let tries: BTreeSet<_> = messages[1..4]
        .iter()
        .map(|it| (&it.id, it.body().to_string()))
        .collect();
    assert_eq!(tries.len(), 1, "the same message in every try");
    let webhook = eventually("the last is recorded", async || {
        let (_, webhook) = api.get(&format!("/v1/webhooks/{id}")).await;
        (webhook["failures"] == 0 && webhook["last_status"] == 200).then_some(webhook)
    })
    .await;
    assert_eq!(webhook["last_error"], Value::Null);
    assert_eq!(webhook["state"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_pauses_its_webhook() {
    let database = database().await;
    let _engine = database.engine().await;
    let api = Api::start(allowing(builder(&database)), &[]).await;
    let receiver = Receiver::start().await;
    receiver.answers(&[410]);
    let (id, _) = create_webhook(&api, &receiver, json!({})).await;
    let created = create(&api, 1).await;
    let path = format!("/v1/webhooks/{id}");
    let paused = eventually("it is paused", async || {
        let (_, webhook) = api.get(&path).await;
        (webhook["state"] == "paused").then_some(webhook)
    })
    .await;
    let reason = paused["reason"].as_str().expect("a reason");
    assert!(reason.contains("410"), "{reason}");
    assert_eq!(receiver.messages().len(), 1);
    let (status, _) = api.post(&format!("{path}/resume"), json!({})).await;
    assert_eq!(status, StatusCode::OK);
    let messages = receiver.until(2).await;
    assert_eq!(ids(&messages), [created[0].clone(), created[0].clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_host_dies_another_delivers_and_nothing_is_lost_or_out_of_order() {
    let database = database().await;
    let _engine = database.engine().await;
    let api = Api::start(allowing(builder(&database)), &[]).await;
    // A short time, so that the turn of the host that dies is soon over.
    let quick = |builder: testkit::HostBuilder| {
        allowing(builder).environment("FLOWHOST_EGRESS_TIMEOUT_MS", "500")
    };
    let mut first = started(quick(builder(&database))).await;
    let second = started(quick(builder(&database))).await;
    let receiver = Receiver::start().await;
    create_webhook(&api, &receiver, json!({})).await;
    let mut created = create(&api, 10).await;
    receiver.until(3).await;
    first.kill();
    created.extend(create(&api, 10).await);
    let messages = eventually("every event arrives", async || {
        let messages = receiver.messages();
        let last = ids(&messages).last() == created.last();
        last.then_some(messages)
    })
    .await;
    // At least once: repeats are of the event before, under its id.
    let mut seen = ids(&messages);
    seen.dedup();
    assert_eq!(seen, created);
    let unique: BTreeSet<_> = messages.iter().map(|it| &it.id).collect();
    assert_eq!(unique.len(), created.len());
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_address_gets_nothing_and_the_webhook_says_why() {
    let database = database().await;
    let engine: Engine = database.engine().await;
    let api = Api::start(builder(&database), &[]).await;
    let receiver = Receiver::start().await;
    let body = json!({"name": "a", "url": receiver.url(), "family": "lifecycle"});
    let (status, refused) = api.post("/v1/webhooks", body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let detail = refused["detail"].as_str().expect("a detail");
    assert!(detail.starts_with("url: blocked address"), "{detail}");
    // One that was created elsewhere is not delivered from here.
    let create_webhook = CreateWebhook {
        name: "a".to_owned(),
        namespace: None,
        family: EventFamily::Lifecycle,
        filter: WebhookFilter::default(),
        url: receiver.url(),
        secret: None,
        from_beginning: false,
        actor: "tests".to_owned(),
    };
    let id = engine.create_webhook(create_webhook).await.accepted().id;
    create(&api, 1).await;
    let webhook = eventually("a try fails", async || {
        let webhook = engine.webhook(id, None).await.answered()?;
        (webhook.failures > 0).then_some(webhook)
    })
    .await;
    assert_eq!(webhook.state, WebhookState::Active);
    let error = webhook.last_error.unwrap_or_default();
    assert!(
        error.starts_with("blocked address: 127.0.0.1 is a loopback"),
        "{error}"
    );
    assert!(!error.contains("s3cret"), "{error}");
    assert!(receiver.messages().is_empty());
}
