//! Transactions that are open while the log is read: those of others hold no reader
//! up, and none of the log's own writers is skipped.

use std::time::{Duration, Instant};

use model::{EventFamily, EventStart, ExecutionId};
use sqlx::{Connection as _, Executor as _, PgConnection};
use testkit::{Answered, Database, eventually};

use crate::support::lists::events;
use crate::support::work::{claim_one, complete, create, created, setup};

/// Opens a transaction that has an id and writes elsewhere.
async fn long_transaction(database: &Database) -> PgConnection {
    let mut connection = database.connection().await;
    connection
        .execute(
            "BEGIN; CREATE TEMPORARY TABLE elsewhere (x integer); INSERT INTO elsewhere VALUES (1)",
        )
        .await
        .expect("written");
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_transaction_of_others_holds_no_reader_up() {
    let (database, engine) = setup().await;
    let mut long = long_transaction(&database).await;
    let request = events::of(EventFamily::Lifecycle);
    let mut cursor = engine
        .events(&request, &EventStart::Now)
        .await
        .accepted()
        .cursor;
    for _ in 0..10 {
        let began = Instant::now();
        let id = created(&engine, create("x")).await;
        let start = EventStart::After(cursor);
        let wait = Duration::from_secs(20);
        let page = engine.await_events(&request, &start, wait).await.accepted();
        let told: Vec<_> = page
            .events
            .iter()
            .map(|event| event.logged.execution_id)
            .collect();
        assert_eq!(told, [Some(id)]);
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        cursor = page.cursor;
    }
    // Now begins now, and not where the long transaction began.
    let now = engine
        .events(&request, &EventStart::Now)
        .await
        .accepted()
        .cursor;
    let page = engine
        .events(&request, &EventStart::After(now))
        .await
        .accepted();
    assert_eq!(page.events, []);
    long.execute("ROLLBACK").await.expect("rolled back");
}

/// What a reader at the head has seen so far of completions and creations.
struct Reader {
    engine: engine::Engine,
    cursor: model::EventCursor,
    seen: Vec<(String, ExecutionId)>,
}

impl Reader {
    async fn begin(engine: &engine::Engine) -> Self {
        let request = events::of(EventFamily::Lifecycle);
        let now = engine.events(&request, &EventStart::Now).await.accepted();
        Self {
            engine: engine.clone(),
            cursor: now.cursor,
            seen: Vec::new(),
        }
    }

    /// Reads until it has seen so many events.
    async fn reads(&mut self, count: usize) -> &[(String, ExecutionId)] {
        let request = events::of(EventFamily::Lifecycle);
        eventually("the events are read", async || {
            let start = EventStart::After(self.cursor.clone());
            let page = self.engine.events(&request, &start).await.accepted();
            self.cursor = page.cursor;
            self.seen.extend(page.events.iter().map(|event| {
                let id = event.logged.execution_id.expect("of an execution");
                (event.fact.name().to_owned(), id)
            }));
            (self.seen.len() >= count).then_some(())
        })
        .await;
        assert_eq!(self.seen.len(), count, "{:?}", self.seen);
        &self.seen
    }
}

/// A writer that has its transaction id and has written, and has not committed: what comes
/// after it waits for it, and nothing is skipped. With and without a long transaction of
/// another client, because the horizon is found in different ways.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_has_not_committed_is_not_passed() {
    for other in [false, true] {
        let (database, engine) = setup().await;
        let mut long = None;
        if other {
            long = Some(long_transaction(&database).await);
        }
        let mut reader = Reader::begin(&engine).await;
        let first = created(&engine, create("copied")).await;
        reader.reads(1).await;
        let mut slow = database.connection().await;
        let mut open = slow.begin().await.expect("begun");
        open.execute(
            "INSERT INTO event (partition, kinds, execution_ids, classes, namespaces, epochs)
             SELECT partition, ARRAY['promoted'::event_kind], execution_ids, classes, namespaces,
                    epochs
             FROM event",
        )
        .await
        .expect("written");
        let later = created(&engine, create("later")).await;
        for _ in 0..20 {
            reader.reads(1).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        open.commit().await.expect("committed");
        let seen = reader.reads(3).await;
        assert_eq!(
            seen,
            [
                ("created".to_owned(), first),
                ("promoted".to_owned(), first),
                ("created".to_owned(), later),
            ],
            "in the order of their transactions"
        );
        drop(long);
    }
}

/// A verb that waits for a row before it has a transaction id: others are read past it, and
/// it is read when it has written.
#[tokio::test(flavor = "multi_thread")]
async fn a_verb_that_waits_for_a_row_is_read_when_it_has_written() {
    for other in [false, true] {
        let (database, engine) = setup().await;
        let mut long = None;
        if other {
            long = Some(long_transaction(&database).await);
        }
        let mut reader = Reader::begin(&engine).await;
        let held = created(&engine, create("held")).await;
        let fence = claim_one(&engine).await.fence;
        reader.reads(2).await;
        let mut holder = database.connection().await;
        let mut lock = holder.begin().await.expect("begun");
        lock.execute("SELECT FROM lease FOR UPDATE")
            .await
            .expect("locked");
        let completing = {
            let engine = engine.clone();
            tokio::spawn(async move { engine.complete(complete(fence, "")).await.accepted() })
        };
        waits_for_a_lock(&database).await;
        let later = created(&engine, create("later")).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        lock.commit().await.expect("committed");
        completing.await.expect("completed");
        let mut seen = reader.reads(4).await[2..].to_vec();
        seen.sort();
        let mut wanted = vec![("created".to_owned(), later), ("success".to_owned(), held)];
        wanted.sort();
        assert_eq!(seen, wanted, "each once");
        drop(long);
    }
}

async fn waits_for_a_lock(database: &Database) {
    let mut connection = database.connection().await;
    eventually("a statement waits for a lock", async || {
        let waiting: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .fetch_one(&mut connection)
        .await
        .expect("the database answers");
        waiting.then_some(())
    })
    .await;
}
