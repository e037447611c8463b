//! The log keeps to the room it has, and what it knows of executions leaves with them.

use std::time::Duration;

use engine::{Create, Engine, Settings, bench};
use model::{EventFamily, EventStart, EventsRefusal, Retention};
use testkit::{Answered, Database, database, eventually};

use crate::support::lists::events;
use crate::support::work::{claim_one, complete, create};

const DAY: Duration = Duration::from_secs(24 * 3600);
const DAY_MS: u64 = 24 * 3_600_000;

async fn engine(database: &Database, retention: Retention) -> Engine {
    let engine = Engine::connect(Settings {
        retention,
        ..database.settings()
    })
    .await
    .expect("an engine opens");
    engine.define_kind("echo").await.accepted();
    engine
}

async fn number(database: &Database, statement: &'static str) -> i64 {
    let mut connection = database.connection().await;
    let number = sqlx::query_scalar(statement)
        .fetch_one(&mut connection)
        .await;
    number.expect(statement)
}

/// Sweeps until retention has removed every execution: their ids have to be older than it.
async fn no_execution_is_left(database: &Database, engine: &Engine) {
    eventually("executions are removed", async || {
        engine.reconcile().await.expect("swept");
        let left = number(database, "SELECT count(*) FROM execution").await;
        (left == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_beyond_its_bytes_loses_its_oldest_events_and_readers_behind_are_told() {
    const MAX: i64 = 1 << 20;
    const BYTES: &str = "SELECT coalesce(sum(pg_column_size(e.*) + 44), 0)::bigint FROM event AS e";
    let database = database().await;
    let engine = engine(
        &database,
        Retention {
            events_ms: 0,
            events_bytes: MAX as u64,
            ..Retention::default()
        },
    )
    .await;
    engine.create(create("first")).await.accepted();
    database.events_are_readable().await;
    let request = events::of(EventFamily::Lifecycle);
    let first = engine.events(&request, &EventStart::Beginning).await;
    let first = first.answered().expect("kept").events.remove(0);
    let behind = EventStart::After(first.cursor.clone());
    engine.reconcile().await.expect("swept");
    let kept = engine.events(&request, &EventStart::Beginning).await;
    assert_eq!(kept.answered().expect("kept").events[0], first);

    bench::log_events(&engine, 40_000).await.expect("written");
    let last = engine.create(create("last")).await.accepted().id();
    database.events_are_readable().await;
    assert!(number(&database, BYTES).await > 2 * MAX);
    for _ in 0..10 {
        engine.reconcile().await.expect("swept");
    }
    let bytes = number(&database, BYTES).await;
    assert!((MAX * 9 / 10..=MAX).contains(&bytes), "{bytes} bytes");
    let refused = engine.events(&request, &behind).await.answered();
    let refused = refused.expect_err("its events were removed");
    assert!(matches!(refused, EventsRefusal::CursorTooOld { .. }));
    let all = events::all(&engine, &request).await;
    assert_eq!(all.last().expect("kept").logged.execution_id, Some(last));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_leaves_after_its_last_execution_and_its_last_event() {
    const CLASSES: &str = "SELECT count(*) FROM execution_class WHERE namespace = 'once'";
    let database = database().await;
    let retention = Retention {
        finished_ms: 1000,
        events_ms: 10 * DAY_MS,
        ..Retention::default()
    };
    let engine = engine(&database, retention).await;
    let once = || Create {
        namespace: "once".to_owned(),
        ..create("x")
    };
    engine.create(once()).await.accepted();
    let swept = async || {
        for _ in 0..2 {
            engine.reconcile().await.expect("swept");
        }
    };
    database.advance(DAY).await;
    swept().await;
    database.advance(DAY).await;
    swept().await;
    assert_eq!(number(&database, CLASSES).await, 1, "an execution is of it");

    let fence = claim_one(&engine).await.fence;
    engine.complete(complete(fence, "done")).await.accepted();
    database.advance(2 * DAY).await;
    no_execution_is_left(&database, &engine).await;
    swept().await;
    database.advance(Duration::from_secs(3600)).await;
    swept().await;
    assert_eq!(number(&database, CLASSES).await, 1, "its events are kept");
    let mut request = events::of(EventFamily::Completion);
    request.filter.namespace = Some("once".to_owned());
    let told = events::all(&engine, &request).await;
    assert_eq!(told[0].logged.execution_kind.as_deref(), Some("echo"));

    database.advance(10 * DAY).await;
    swept().await;
    assert_eq!(number(&database, CLASSES).await, 0);
    // This host has not asked again, as one does within the hour: what it writes is told
    // all the same, while there is the execution.
    engine.create(once()).await.accepted();
    assert_eq!(number(&database, CLASSES).await, 0);
    let mut request = events::of(EventFamily::Lifecycle);
    request.filter.namespace = Some("once".to_owned());
    database.events_are_readable().await;
    let told = events::all(&engine, &request).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].logged.lane.as_deref(), Some("default"));
    // Another host makes it again, and it stays.
    let other = self::engine(&database, retention).await;
    other.create(once()).await.accepted();
    swept().await;
    assert_eq!(number(&database, CLASSES).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_a_host_uses_again_is_not_removed() {
    const CLASSES: &str = "SELECT count(*) FROM execution_class WHERE namespace = 'once'";
    const MARKED: &str = "SELECT count(*) FROM execution_class WHERE namespace = 'once' AND unused_since IS NOT NULL";
    let database = database().await;
    let retention = Retention {
        finished_ms: 1000,
        events_ms: 3_600_000,
        ..Retention::default()
    };
    let engine = engine(&database, retention).await;
    let once = || Create {
        namespace: "once".to_owned(),
        ..create("x")
    };
    engine.create(once()).await.accepted();
    let fence = claim_one(&engine).await.fence;
    engine.complete(complete(fence, "done")).await.accepted();
    database.advance(2 * DAY).await;
    no_execution_is_left(&database, &engine).await;
    engine.reconcile().await.expect("swept");
    assert_eq!(number(&database, MARKED).await, 1);
    let other = self::engine(&database, retention).await;
    other.create(once()).await.accepted();
    assert_eq!(number(&database, MARKED).await, 0);
    for _ in 0..3 {
        engine.reconcile().await.expect("swept");
        database.advance(Duration::from_secs(3600)).await;
    }
    assert_eq!(number(&database, CLASSES).await, 1);
}
