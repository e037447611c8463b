//! What has ended leaves when its retention is over, whole and not before, and
//! no running work is delayed.

use std::time::Duration;

use engine::{Cancel, Create, Created, Engine, ListPage, ListPlace, Settings};
use model::{Event, EventFamily, EventStart, EventsRefusal, ExecutionId, Partition, Retention};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use testkit::{Answered, Database, database};

use crate::support::lists::events;
use crate::support::waiting::{deliver, signal, single, suspend, suspended, try_deliver};
use crate::support::work::{claim, claim_one, complete, create, fail, operate};

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_MS: u64 = 3_600_000;

/// An engine that keeps what finished for two hours, and events for three.
async fn setup() -> (Database, Engine) {
    let database = database().await;
    let engine = engine(&database, 2 * HOUR_MS, 3 * HOUR_MS).await;
    engine.define_kind("echo").await.accepted();
    (database, engine)
}

async fn engine(database: &Database, finished_ms: u64, events_ms: u64) -> Engine {
    Engine::connect(Settings {
        retention: Retention {
            finished_ms,
            events_ms,
            ..Retention::default()
        },
        ..database.settings()
    })
    .await
    .expect("an engine opens")
}

/// An id made so many hours before the database's present.
async fn id_of_age(database: &Database, hours: i64, number: u64) -> ExecutionId {
    let mut connection = database.connection().await;
    let ms: i64 = sqlx::query_scalar(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $1 * 3600000",
    )
    .bind(hours)
    .fetch_one(&mut connection)
    .await
    .expect("the time");
    let partition = Partition::new(0).expect("in range");
    ExecutionId::from_parts(partition, ms.unsigned_abs(), number)
}

/// Creates executions whose ids are so old.
async fn created(database: &Database, engine: &Engine, hours: i64, count: u64) -> Vec<ExecutionId> {
    let mut creates = Vec::new();
    for number in 0..count {
        let id = Some(id_of_age(database, hours, number).await);
        creates.push(Create { id, ..create("x") });
    }
    let answers = engine.create_batch(creates).await;
    answers
        .into_iter()
        .map(|answer| answer.accepted().id())
        .collect()
}

async fn complete_all(engine: &Engine) -> usize {
    let claimed = claim(engine, 500).await;
    for claimed in &claimed {
        engine
            .complete(complete(claimed.fence, "done"))
            .await
            .accepted();
    }
    claimed.len()
}

/// Sweeps once and returns how many executions left.
async fn removed(engine: &Engine) -> u64 {
    let rows = || {
        let figures = engine.sweep_figures().into_iter();
        let mut figures = figures.filter(|it| it.condition == "finished_past_retention");
        figures.next().expect("a sweep").rows
    };
    let before = rows();
    engine.reconcile().await.expect("swept");
    rows() - before
}

/// Counts the rows that mention an execution, by table.
async fn rows_of(database: &Database, id: ExecutionId) -> Vec<(String, i64)> {
    let mut connection = database.connection().await;
    let mut rows = Vec::new();
    for (table, column) in [
        ("execution", "id"),
        ("finished", "execution_id"),
        ("attempt", "execution_id"),
        ("tag", "execution_id"),
        ("timer", "execution_id"),
        ("idempotency", "execution_id"),
        ("suspension", "execution_id"),
        ("waitpoint", "execution_id"),
        ("signal", "execution_id"),
        ("operation", "execution_id"),
        ("stream", "execution_id"),
        ("stream_frame", "execution_id"),
        ("stream_summary", "execution_id"),
        ("live_log", "execution_id"),
    ] {
        let statement = format!("SELECT count(*) FROM {table} WHERE {column} = '{id}'");
        let row = connection
            .fetch_one(AssertSqlSafe(statement))
            .await
            .expect("counted");
        let count: i64 = row.get(0);
        if count > 0 {
            rows.push((table.to_owned(), count));
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_leaves_with_all_its_rows_when_its_retention_is_over() {
    let (database, engine) = setup().await;
    let mut full = Create {
        id: Some(id_of_age(&database, 4, 1).await),
        ..create("x")
    };
    full.policy.timeout_policy.execution_deadline_ms = Some(10 * HOUR_MS);
    full.tags.insert("app.a".to_owned(), "b".to_owned());
    full.policy.retry_policy.backoff = model::Backoff::Fixed { delay_ms: 0 };
    let id = engine.create(full).await.accepted().id();
    let first = claim_one(&engine).await;
    engine
        .fail(fail(first.fence, model::FailureClass::Transient))
        .await
        .accepted();
    engine.reconcile().await.expect("swept");
    let retry = claim_one(&engine).await;
    let request = suspend(retry.fence, single("door", "open"));
    let door = suspended(&engine, request).await.waitpoints.remove(0);
    deliver(&engine, signal(&door.token, "open")).await;
    let set = engine.prioritize(operate(id), 7).await;
    set.accepted();
    assert_eq!(complete_all(&engine).await, 1, "it resumed");
    assert_eq!(
        rows_of(&database, id).await.len(),
        9,
        "one kind of row each"
    );

    database.advance(HOUR).await;
    assert_eq!(removed(&engine).await, 0);
    assert!(engine.get(id, None).await.answered().is_some());

    database.advance(HOUR).await;
    assert_eq!(removed(&engine).await, 1);
    assert_eq!(rows_of(&database, id).await, []);
    assert_eq!(engine.get(id, None).await.answered(), None);
    assert_eq!(engine.result(id, None).await.answered(), None);
    assert!(
        engine
            .history(id, None, None, 10)
            .await
            .answered()
            .is_none()
    );
    assert!(
        engine
            .attempts(id, None, None, 10)
            .await
            .answered()
            .is_none()
    );
    let late = engine.complete(complete(first.fence, "late")).await;
    assert_eq!(late.refused().code(), "execution_not_found");
    let late = try_deliver(&engine, signal(&door.token, "open")).await;
    assert_eq!(late.expect_err("gone").code(), "execution_not_found");
    let cancel = Cancel {
        id,
        namespace: None,
        reason: None,
        source: Default::default(),
        actor: None,
    };
    let refused = engine.cancel(cancel).await;
    assert_eq!(refused.refused().code(), "execution_not_found");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_counts_from_the_end_and_not_from_the_creation() {
    let (database, engine) = setup().await;
    let waiting = created(&database, &engine, 100, 3).await;
    let future = Create {
        id: Some(id_of_age(&database, -1000, 7).await),
        priority: 1,
        ..create("x")
    };
    let future = engine.create(future).await;
    let future = future.accepted().id();
    let ended = claim_one(&engine).await;
    assert_eq!(ended.fence.execution_id, future);
    engine
        .complete(complete(ended.fence, "done"))
        .await
        .accepted();
    database.advance(2 * HOUR).await;
    assert_eq!(removed(&engine).await, 1);
    assert_eq!(
        engine.get(future, None).await.answered(),
        None,
        "an id of the future is found as well"
    );
    assert_eq!(complete_all(&engine).await, 3);
    assert_eq!(removed(&engine).await, 0);
    database.advance(2 * HOUR).await;
    assert_eq!(removed(&engine).await, 3);
    for id in waiting {
        assert_eq!(engine.get(id, None).await.answered(), None);
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_sets_the_retention_of_its_execution() {
    let (database, engine) = setup().await;
    let mut ids = Vec::new();
    for (number, retention_ms) in [(1, HOUR_MS), (2, 5 * HOUR_MS)] {
        let mut own = Create {
            id: Some(id_of_age(&database, 10, number).await),
            ..create("x")
        };
        own.policy.retention_ms = Some(retention_ms);
        let made = engine.create(own).await.accepted();
        ids.push(made.id());
    }
    // Its timer is due before it has ended, and is set again.
    database.advance(HOUR).await;
    assert_eq!(removed(&engine).await, 0);
    assert_eq!(complete_all(&engine).await, 2);
    let mut left_after = Vec::new();
    for hour in 1..=6 {
        database.advance(HOUR).await;
        let removed = removed(&engine).await;
        left_after.extend((0..removed).map(|_| hour));
    }
    assert_eq!(left_after, [1, 5]);
    for id in ids {
        assert_eq!(rows_of(&database, id).await, []);
    }

    let forever = self::engine(&database, 0, 0).await;
    let kept = created(&database, &forever, 10, 1).await;
    complete_all(&forever).await;
    database.advance(1000 * HOUR).await;
    assert_eq!(removed(&forever).await, 0);
    assert_eq!(rows_of(&database, kept[0]).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_is_kept_while_its_idempotency_key_is_remembered() {
    let (database, engine) = setup().await;
    let keyed = || {
        let mut keyed = Create {
            idempotency_key: Some("order-1".to_owned()),
            ..create("x")
        };
        keyed.policy.retention_ms = Some(HOUR_MS);
        keyed.policy.dedup_window_ms = 18_000_000;
        keyed
    };
    let id = engine.create(keyed()).await;
    let id = id.accepted().id();
    complete_all(&engine).await;
    for _ in 0..4 {
        database.advance(HOUR).await;
        engine.reconcile().await.expect("swept");
        let again = engine.create(keyed()).await;
        assert_eq!(again.accepted(), Created::Duplicate { id });
        assert!(engine.get(id, None).await.answered().is_some());
    }
    database.advance(HOUR).await;
    engine.reconcile().await.expect("swept");
    assert_eq!(rows_of(&database, id).await, []);
    let again = engine.create(keyed()).await;
    assert!(matches!(again.accepted(), Created::Created { .. }));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_continue_while_earlier_rows_are_removed() {
    let (database, engine) = setup().await;
    let mut ids = created(&database, &engine, 10, 9).await;
    ids.sort_unstable_by(|a, b| b.cmp(a));
    complete_all(&engine).await;
    let page = |after: Option<ExecutionId>| ListPage {
        after: after.map(ListPlace::of_id),
        limit: 3,
    };
    let first = engine.list(Default::default(), page(None)).await;
    let last = first.answered().last().expect("three").id;
    assert_eq!(last, ids[2]);
    // The very row the next page begins after leaves.
    let mut connection = database.connection().await;
    let statement = format!(
        "UPDATE finished SET finished_at = finished_at - interval '2 hours'
         WHERE execution_id IN ('{}', '{}')",
        ids[2], ids[4]
    );
    connection
        .execute(AssertSqlSafe(statement))
        .await
        .expect("aged");
    assert_eq!(removed(&engine).await, 2);
    let next = engine.list(Default::default(), page(Some(last))).await;
    let next: Vec<_> = next.answered().iter().map(|row| row.id).collect();
    assert_eq!(next, [ids[3], ids[5], ids[6]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_in_progress_blocks_no_work() {
    let (database, engine) = setup().await;
    created(&database, &engine, 10, 500).await;
    assert_eq!(complete_all(&engine).await, 500);
    database.advance(2 * HOUR).await;
    let waiting = engine.create(create("waiting")).await.accepted();
    // A removal that does not commit, holding every lock it takes.
    let mut connection = database.connection().await;
    let mut removal = connection.begin().await.expect("begun");
    let held = sqlx::query(include_str!(
        "../../host/engine/src/reconcile/retention/finished_past_retention.sql"
    ))
    .bind(0_i16)
    .bind(sqlx::types::Uuid::nil())
    .bind(false)
    .bind(500_i64)
    .bind(2 * HOUR_MS as i64)
    .fetch_one(&mut *removal)
    .await
    .expect("removed");
    assert_eq!(held.get::<i64, _>(0), 500);
    let work = async {
        let claimed = claim_one(&engine).await;
        assert_eq!(claimed.fence.execution_id, waiting.id());
        engine
            .renew(&[claimed.fence], 30_000)
            .await
            .answered()
            .remove(0)
            .expect("renewed");
        engine
            .complete(complete(claimed.fence, "done"))
            .await
            .accepted();
        engine.create(create("another")).await.accepted();
        // Another host's sweep passes by what this one holds.
        assert_eq!(removed(&engine).await, 0);
    };
    tokio::time::timeout(Duration::from_secs(20), work)
        .await
        .expect("nothing waits for the removal");
    removal.rollback().await.expect("rolled back");
    assert_eq!(removed(&engine).await, 500);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_whose_events_were_removed_is_refused_by_name() {
    let (database, engine) = setup().await;
    created(&database, &engine, 0, 2).await;
    complete_all(&engine).await;
    let request = events::of(EventFamily::Lifecycle);
    let read = async |start: EventStart| {
        database.events_are_readable().await;
        engine.events(&request, &start).await.answered()
    };
    let after = |event: &Event| EventStart::After(event.cursor.clone());
    let old = read(EventStart::Beginning).await.expect("kept").events;
    assert_eq!(old.len(), 6);
    database.advance(3 * HOUR).await;
    created(&database, &engine, -1, 1).await;
    let all = read(EventStart::Beginning).await.expect("kept").events;
    engine.reconcile().await.expect("swept");

    let kept = read(EventStart::Beginning)
        .await
        .expect("from the oldest")
        .events;
    assert_eq!(kept, all[6..]);
    let missed_nothing = read(after(&old[5])).await.expect("missed nothing");
    assert_eq!(missed_nothing.events, kept);
    for event in &old[..5] {
        let refused = read(after(event)).await.expect_err("some are gone");
        assert_eq!(refused.code(), "cursor_too_old");
        let EventsRefusal::CursorTooOld { floor, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!(floor, old[5].logged.place, "the last that was removed");
    }
}
