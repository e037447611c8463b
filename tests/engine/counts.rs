//! Counts of what has not finished: exact up to a bound, and never as slow as a backlog is
//! long.

use engine::{Count, Engine};
use testkit::Answered;

use crate::support::server::rows::run;
use crate::support::work::{claim_one, create, created, operate, setup};

/// Inserts rows without executions into `ready`, in a lane and with a rank.
fn insert_ready(lane: &str, rank: u32, count: u32) -> String {
    format!(
        "INSERT INTO ready (partition, execution_id, lane, rank, kind, epoch, attempts, retries,
             reclaims, replays, next_type, resumes)
         SELECT 0, gen_random_uuid(), '{lane}', {rank}, 'echo', 0, 0, 0, 0, 0, 'initial', false
         FROM generate_series(1, {count});
         SELECT pg_stat_force_next_flush()"
    )
}

fn exactly(rows: u64) -> Count {
    Count { rows, exact: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn few_executions_are_counted_at_most_once_in_five_seconds() {
    let (database, engine) = setup().await;
    let none = engine.counts().await.answered();
    assert_eq!((none.waiting, none.active), (exactly(0), exactly(0)));
    assert_eq!((none.oldest_waiting_ms, none.parked.len()), (0, 0));
    let held = created(&engine, create("held")).await;
    let hold = engine::Block {
        operate: operate(held),
        reason: model::BlockingReason::PausedByOperator,
        detail: None,
    };
    engine.block(hold).await.accepted();
    created(&engine, create("x")).await;
    claim_one(&engine).await;
    created(&engine, create("y")).await;
    created(&engine, create("z")).await;
    assert_eq!(engine.counts().await.answered(), none, "still fresh");
    let now = database.engine().await.counts().await.answered();
    assert_eq!((now.waiting, now.active), (exactly(2), exactly(1)));
    let parked: Vec<_> = now.parked.into_iter().collect();
    assert_eq!(parked, [("blocked".to_owned(), exactly(1))]);
}

// With a backlog of millions each scrape of each host read all of it.
#[tokio::test(flavor = "multi_thread")]
async fn many_executions_are_estimated_and_said_to_be() {
    let (database, engine) = setup().await;
    run(&database, insert_ready("default", 5, 15_000)).await;
    let parked = "INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank,
             epoch, attempts, retries, reclaims, replays, next_type, resumes)
         SELECT 0, gen_random_uuid(),
             CASE WHEN n % 3 > 0 THEN 'delayed' ELSE 'rate_limited' END::parked_state,
             CASE WHEN n % 3 > 0 THEN 'waiting_for_delay' ELSE 'waiting_for_quota'
                 END::blocking_reason,
             now() + interval '1 day', 'default', 0, 0, 0, 0, 0, 0, 'initial', false
         FROM generate_series(1, 15000) AS n;
         SELECT pg_stat_force_next_flush()";
    run(&database, parked.to_owned()).await;
    let counts = engine.counts().await.answered();
    let about = |count: Count, rows: u64| {
        assert!(!count.exact, "{counts:?}");
        assert!(count.rows.abs_diff(rows) <= rows / 20, "{counts:?}");
    };
    about(counts.waiting, 15_000);
    about(counts.parked["delayed"], 10_000);
    about(counts.parked["rate_limited"], 5_000);
    assert_eq!(counts.active, exactly(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_ready_execution_is_found_in_any_queue() {
    let database = testkit::database().await;
    let oldest = async || {
        let engine: Engine = database.engine().await;
        engine.counts().await.answered().oldest_waiting_ms / 60_000
    };
    for (lane, rank) in [("a", 0), ("a", 7), ("b", 3), ("b", 9000)] {
        run(&database, insert_ready(lane, rank, 3)).await;
    }
    assert_eq!(oldest().await, 0);
    let age = async |age: &str, lane: &str, rank: u32| {
        let aged = format!(
            "UPDATE ready SET ready_at = now() - interval '{age}' WHERE execution_id =
                 (SELECT execution_id FROM ready WHERE lane = '{lane}' AND rank = {rank} LIMIT 1)"
        );
        run(&database, aged).await;
    };
    for (minutes, lane, rank) in [(5, "a", 0), (8, "b", 9000), (12, "a", 7), (30, "b", 3)] {
        age(&format!("{minutes} minutes"), lane, rank).await;
        assert_eq!(oldest().await, minutes, "{lane} {rank}");
    }
    let endless = "UPDATE ready SET ready_at = '-infinity' WHERE lane = 'a' AND rank = 0";
    run(&database, endless.to_owned()).await;
    assert_eq!(
        oldest().await,
        30,
        "a time that cannot be shown counts for nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_with_more_than_the_bound_says_so() {
    let (database, engine) = setup().await;
    for lane in ["full", "few", "just"] {
        engine.set_lane(lane, None, None).await.accepted();
    }
    run(&database, insert_ready("full", 5, 10_001)).await;
    run(&database, insert_ready("just", 5, 10_000)).await;
    run(&database, insert_ready("few", 5, 2)).await;
    let lanes = engine.lanes(None, None, 10).await.answered();
    let seen: Vec<_> = lanes
        .iter()
        .map(|lane| (lane.name.as_str(), lane.waiting, lane.waiting_exact))
        .collect();
    let expected = [
        ("default", 0, true),
        ("few", 2, true),
        ("full", 10_000, false),
        ("just", 10_000, true),
    ];
    assert_eq!(seen, expected);
    assert!(lanes.iter().all(|lane| lane.active_exact));
}
