//! Webhooks in the database: who delivers one, where it stands, when it stops, and how its
//! secrets are kept.

use std::time::Duration;

use engine::{
    CreateWebhook, Engine, FailedDelivery, Settings, UpdateWebhook, Webhook, WebhookEvents,
    WebhookFilter, WebhookSecret, WebhookTry, WebhookTurn,
};
use model::{Event, EventFamily, Retention, WebhookState};
use sqlx::Row as _;
use testkit::{Answered, Database, database};
use uuid::Uuid;

use crate::support::work::create;

const TURN: Duration = Duration::from_secs(60);
const STALLED_AFTER: Duration = Duration::from_secs(3600);
const NO_WAIT: Duration = Duration::ZERO;

fn webhook(name: &str) -> CreateWebhook {
    CreateWebhook {
        name: name.to_owned(),
        namespace: None,
        family: EventFamily::Lifecycle,
        filter: WebhookFilter::default(),
        url: "https://a.test/hooks".to_owned(),
        secret: None,
        from_beginning: true,
        actor: "tests".to_owned(),
    }
}

/// A database with a webhook from the beginning of the log.
async fn setup() -> (Database, Engine, Uuid) {
    let database = database().await;
    let engine = database.engine().await;
    let id = engine.create_webhook(webhook("a")).await.accepted().id;
    (database, engine, id)
}

async fn state(engine: &Engine, id: Uuid) -> Webhook {
    let found = engine.webhook(id, None).await.answered();
    found.expect("the webhook is there")
}

/// Takes all that are due.
async fn take(engine: &Engine) -> Vec<WebhookTurn> {
    engine.take_webhooks(10, TURN).await.answered()
}

async fn take_one(engine: &Engine) -> WebhookTurn {
    let mut taken = take(engine).await;
    assert_eq!(taken.len(), 1, "one is due");
    taken.remove(0)
}

/// Reads what is next for a turn from where its webhook stands.
async fn next(engine: &Engine, turn: &WebhookTurn) -> WebhookEvents {
    let after = &turn.webhook.cursor;
    let events = engine.webhook_events(turn, after, 100, NO_WAIT).await;
    events.answered()
}

async fn events(engine: &Engine, turn: &WebhookTurn) -> Vec<Event> {
    match next(engine, turn).await {
        WebhookEvents::Page(page) => page.events,
        missed => panic!("{missed:?}"),
    }
}

fn failed(status: u16) -> FailedDelivery {
    FailedDelivery {
        status: Some(status),
        error: format!("the receiver answered {status}"),
        gone: status == 410,
        pause: None,
    }
}

/// Takes the webhook and records that a try failed.
async fn fail_once(engine: &Engine, status: u16) -> WebhookState {
    let turn = take_one(engine).await;
    let (at, failures) = (&turn.webhook.cursor, turn.webhook.failures);
    let failure = failed(status);
    let recorded = engine.webhook_failed(&turn, at, failures, &failure, STALLED_AFTER);
    match recorded.await.answered() {
        WebhookTry::Recorded(state) => state,
        WebhookTry::Late => panic!("late"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_has_the_turn_until_it_ends_or_its_time_is_over() {
    let (database, engine, id) = setup().await;
    let other = database.engine().await;
    let first = take_one(&engine).await;
    assert!(take(&other).await.is_empty(), "taken");
    database.advance(TURN / 2).await;
    let extended = engine.extend_webhook_turn(&first, TURN).await.answered();
    assert!(extended.is_some(), "its time is not over");
    database.advance(TURN / 2 + Duration::from_secs(1)).await;
    assert!(take(&other).await.is_empty(), "extended");
    database.advance(TURN).await;
    let extended = engine.extend_webhook_turn(&first, TURN).await.answered();
    assert_eq!(extended, None, "its time is over");
    let second = take_one(&other).await;
    // What the first host sent late is not recorded, nor does it end the other's turn.
    let from = &first.webhook.cursor;
    let late = engine.webhook_delivered(&first, from, from, 200).await;
    assert_eq!(late.answered(), WebhookTry::Late);
    let failure = failed(500);
    let late = engine.webhook_failed(&first, from, 0, &failure, STALLED_AFTER);
    assert_eq!(late.await.answered(), WebhookTry::Late);
    engine.end_webhook_turn(&first, from, from).await.answered();
    assert!(take(&engine).await.is_empty(), "the second has it");
    other.end_webhook_turn(&second, from, from).await.answered();
    assert_eq!(take_one(&engine).await.webhook.id, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_advances_event_by_event_and_only_from_where_it_stood() {
    let (database, engine, id) = setup().await;
    for data in ["x", "y"] {
        engine.create(create(data)).await.accepted();
    }
    database.events_are_readable().await;
    let turn = take_one(&engine).await;
    let found = events(&engine, &turn).await;
    assert_eq!(found.len(), 2);
    let (start, first, second) = (&turn.webhook.cursor, &found[0], &found[1]);
    let skipped = engine.webhook_delivered(&turn, &first.cursor, &second.cursor, 200);
    assert_eq!(
        skipped.await.answered(),
        WebhookTry::Late,
        "it does not stand there"
    );
    let active = WebhookTry::Recorded(WebhookState::Active);
    let delivered = engine.webhook_delivered(&turn, start, &first.cursor, 204);
    assert_eq!(delivered.await.answered(), active);
    let again = engine.webhook_delivered(&turn, start, &first.cursor, 204);
    assert_eq!(again.await.answered(), WebhookTry::Late, "recorded already");
    let now = state(&engine, id).await;
    assert_eq!((&now.cursor, now.last_status), (&first.cursor, Some(204)));
    engine
        .end_webhook_turn(&turn, &first.cursor, &first.cursor)
        .await
        .answered();
    let turn = take_one(&engine).await;
    let rest = events(&engine, &turn).await;
    assert_eq!(rest, std::slice::from_ref(second));
    // The id of a message is the same on every host, and one for each event and webhook.
    let other = database.engine().await;
    let of = |engine: &Engine, event: &Event| {
        engine.webhook_message_id(&turn, "event", event.logged.place)
    };
    assert_eq!(of(&engine, second), of(&other, second));
    assert_ne!(of(&engine, first), of(&engine, second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_whose_receiver_fails_too_long_stalls_and_resumes_from_where_it_stood() {
    let (database, engine, id) = setup().await;
    engine.create(create("x")).await.accepted();
    database.events_are_readable().await;
    let start = state(&engine, id).await.cursor;
    assert_eq!(fail_once(&engine, 500).await, WebhookState::Active);
    let failing = state(&engine, id).await;
    assert_eq!((failing.failures, failing.last_status), (1, Some(500)));
    assert!(failing.failed_since.is_some() && failing.next_try_at > failing.changed_at);
    assert!(
        take(&engine).await.is_empty(),
        "it pauses before another try"
    );
    database
        .advance(STALLED_AFTER - Duration::from_secs(60))
        .await;
    assert_eq!(fail_once(&engine, 503).await, WebhookState::Active);
    database.advance(Duration::from_secs(61)).await;
    assert_eq!(fail_once(&engine, 500).await, WebhookState::Stalled);
    let stalled = state(&engine, id).await;
    let reason = stalled.reason.as_deref().unwrap_or_default();
    assert!(
        reason.starts_with("the receiver failed for 3600 s"),
        "{reason}"
    );
    assert_eq!((stalled.failures, &*stalled.changed_by), (3, "delivery"));
    database.advance(STALLED_AFTER).await;
    assert!(take(&engine).await.is_empty(), "it is not delivered");

    let resumed = engine.resume_webhook(id, None, "tests").await.accepted();
    assert_eq!((resumed.state, resumed.failures), (WebhookState::Active, 0));
    assert_eq!((&resumed.cursor, resumed.failed_since), (&start, None));
    let turn = take_one(&engine).await;
    assert_eq!(events(&engine, &turn).await.len(), 1, "nothing is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_paused_changed_or_gone_is_left_by_the_host_that_delivers_it() {
    let (_database, engine, id) = setup().await;
    let turn = take_one(&engine).await;
    let paused = engine
        .pause_webhook(id, None, Some("because"), "tests")
        .await;
    assert_eq!(paused.accepted().reason.as_deref(), Some("because"));
    let extended = engine.extend_webhook_turn(&turn, TURN).await.answered();
    assert_eq!(extended, None, "paused");
    // The try that was under way is recorded all the same.
    let from = &turn.webhook.cursor;
    let delivered = engine.webhook_delivered(&turn, from, from, 200).await;
    let paused = WebhookTry::Recorded(WebhookState::Paused);
    assert_eq!(delivered.answered(), paused);
    engine.end_webhook_turn(&turn, from, from).await.answered();

    engine.resume_webhook(id, None, "tests").await.accepted();
    let turn = take_one(&engine).await;
    let update = UpdateWebhook {
        url: Some("https://b.test/".to_owned()),
        filter: Some(WebhookFilter {
            kind: Some("other".to_owned()),
            ..WebhookFilter::default()
        }),
        actor: "tests".to_owned(),
    };
    let updated = engine.update_webhook(id, None, update).await.accepted();
    assert_eq!(updated.url, "https://b.test/");
    let extended = engine.extend_webhook_turn(&turn, TURN).await.answered();
    assert_eq!(extended, None, "changed");
    engine.end_webhook_turn(&turn, from, from).await.answered();
    let turn = take_one(&engine).await;
    assert_eq!(turn.webhook.filter.kind.as_deref(), Some("other"));
    engine.end_webhook_turn(&turn, from, from).await.answered();

    assert_eq!(fail_once(&engine, 410).await, WebhookState::Paused);
    let gone = state(&engine, id).await.reason.unwrap_or_default();
    assert!(gone.contains("410"), "{gone}");
    engine.delete_webhook(id, None).await.accepted();
    let again = engine.delete_webhook(id, None).await;
    assert_eq!(again.refused().code(), "webhook_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_removed_are_told_and_the_oldest_kept_follow() {
    let database = database().await;
    let settings = Settings {
        retention: Retention {
            events_ms: 3_600_000,
            ..Retention::default()
        },
        ..database.settings()
    };
    let engine = Engine::connect(settings).await.expect("an engine opens");
    engine.define_kind("echo").await.accepted();
    let mut create_webhook = webhook("a");
    create_webhook.from_beginning = false;
    engine.create_webhook(create_webhook).await.accepted();
    engine.create(create("removed")).await.accepted();
    database.events_are_readable().await;
    database.advance(Duration::from_secs(7200)).await;
    while engine.reconcile().await.answered() > 0 {}
    engine.create(create("kept")).await.accepted();
    database.events_are_readable().await;
    let turn = take_one(&engine).await;
    let WebhookEvents::Missed { from, until, to } = next(&engine, &turn).await else {
        panic!("an event was removed before it was delivered");
    };
    assert!(from.is_some_and(|from| from < until));
    let start = &turn.webhook.cursor;
    let told = engine.webhook_delivered(&turn, start, &to, 200).await;
    assert_eq!(told.answered(), WebhookTry::Recorded(WebhookState::Active));
    engine.end_webhook_turn(&turn, &to, &to).await.answered();
    let turn = take_one(&engine).await;
    assert_eq!(
        events(&engine, &turn).await.len(),
        1,
        "the one that is kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_stored_encrypted_and_both_sign_while_one_is_replaced() {
    let (database, engine, id) = setup().await;
    let secret = WebhookSecret::parse(&format!("whsec_{}", "A".repeat(32))).expect("a secret");
    let rotate = engine.rotate_webhook_secret(id, None, Some(secret.clone()), Some(0), "tests");
    assert_eq!(rotate.await.accepted().secret, secret);
    let sign = async |engine: &Engine| engine.test_webhook(id, None).await.accepted().secrets;
    assert_eq!(sign(&engine).await, std::slice::from_ref(&secret));
    let rotate = engine.rotate_webhook_secret(id, None, None, Some(60_000), "tests");
    let new = rotate.await.accepted().secret;
    assert_eq!(sign(&engine).await, [new.clone(), secret]);
    database.advance(Duration::from_secs(61)).await;
    assert_eq!(sign(&engine).await, [new]);

    let mut connection = database.connection().await;
    let row = sqlx::query("SELECT secret, old_secret FROM webhook")
        .fetch_one(&mut connection)
        .await
        .expect("a row");
    // What was `AAAA…` in base64 was 24 zeros.
    let stored: Vec<u8> = row.get("old_secret");
    assert!(!stored.windows(8).any(|it| it == [0; 8]), "encrypted");
    // The secret of one webhook is of no use in the row of another.
    let other = engine.create_webhook(webhook("b")).await.accepted().id;
    sqlx::query(
        "UPDATE webhook w SET secret = o.secret FROM webhook o WHERE w.id = $1 AND o.id = $2",
    )
    .bind(other)
    .bind(id)
    .execute(&mut connection)
    .await
    .expect("copied");
    let copied = engine.test_webhook(other, None).await;
    let fault = copied
        .expect_err("another's")
        .refusal()
        .expect_err("a fault");
    assert!(
        fault.to_string().contains("not as it was written"),
        "{fault}"
    );
    // A host without the key passes it by.
    let keyless = Settings {
        secrets: None,
        ..database.settings()
    };
    let keyless = Engine::connect(keyless).await.expect("an engine opens");
    assert!(take(&keyless).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_one_within_a_namespace_and_namespaces_see_their_own() {
    let (_database, engine, everywhere) = setup().await;
    let of = |namespace: &str| CreateWebhook {
        namespace: Some(namespace.to_owned()),
        ..webhook("a")
    };
    let taken = engine.create_webhook(webhook("a")).await;
    assert_eq!(taken.refused().code(), "webhook_name_taken");
    let id = engine.create_webhook(of("n")).await.accepted().id;
    let taken = engine.create_webhook(of("n")).await;
    assert_eq!(taken.refused().code(), "webhook_name_taken");
    let listed = engine.webhooks(Some("n"), None, 10).await.answered();
    assert_eq!(listed.iter().map(|it| it.id).collect::<Vec<_>>(), [id]);
    let all = engine.webhooks(None, None, 10).await.answered();
    assert_eq!(all.len(), 2);
    for foreign in [everywhere, id] {
        assert_eq!(engine.webhook(foreign, Some("m")).await.answered(), None);
        let refused = engine
            .pause_webhook(foreign, Some("m"), None, "tests")
            .await;
        assert_eq!(refused.refused().code(), "webhook_not_found");
        let refused = engine.delete_webhook(foreign, Some("m")).await;
        assert_eq!(refused.refused().code(), "webhook_not_found");
    }
    assert_eq!(state(&engine, id).await.state, WebhookState::Active);
}
