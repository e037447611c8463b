//! Attempts and history in pages: bounded, complete, and in order also while they grow.

use std::collections::BTreeMap;

use engine::{Engine, HistoryEntry, HistoryPlace};
use model::ExecutionId;
use testkit::Answered;

use crate::support::lists;
use crate::support::server::rows::run;
use crate::support::work::{claim_one, completed, create, created, operate, setup};

/// Inserts leases of an execution that ended, three of each attempt but the first.
fn insert_leases(id: ExecutionId, count: u32, log_bytes: u32) -> String {
    format!(
        "INSERT INTO attempt (partition, execution_id, epoch, attempt, attempt_type, lease_id,
             worker_instance_id, acquired_at, released_at, ended, renewals, log)
         SELECT partition, id, n, n / 3, 'initial', gen_random_uuid(), 'w', created_at,
             created_at, 'delayed', 0, convert_to(repeat('x', {log_bytes}), 'UTF8')
         FROM execution, generate_series(1, {count}) AS n WHERE id = '{id}'"
    )
}

/// Reads attempts to their end; returns attempt and epochs of the leases, page by page.
async fn attempt_pages(engine: &Engine, id: ExecutionId, limit: u32) -> Vec<Vec<(u32, Vec<u64>)>> {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = engine.attempts(id, None, after, limit).await;
        let page = page.answered().expect("known");
        let leases = page.iter().map(|attempt| {
            let epochs = attempt.leases.iter().map(|lease| lease.epoch);
            (attempt.attempt, epochs.collect())
        });
        pages.push(leases.collect());
        after = page.next().copied();
        if after.is_none() {
            return pages;
        }
    }
}

// The logs of an attempt that is tried a thousand times are 64 MiB.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_attempts_is_bounded_in_leases_and_in_bytes() {
    let (database, engine) = setup().await;
    let few = created(&engine, create("x")).await;
    run(&database, insert_leases(few, 10, 10)).await;
    let parts = [
        vec![(0, vec![1, 2]), (1, vec![3])],
        vec![(1, vec![4, 5]), (2, vec![6])],
        vec![(2, vec![7, 8]), (3, vec![9])],
        vec![(3, vec![10])],
    ];
    assert_eq!(attempt_pages(&engine, few, 3).await, parts);
    let whole = [
        (0, vec![1, 2]),
        (1, vec![3, 4, 5]),
        (2, vec![6, 7, 8]),
        (3, vec![9, 10]),
    ];
    assert_eq!(attempt_pages(&engine, few, 10).await, [whole]);

    let large = created(&engine, create("x")).await;
    run(&database, insert_leases(large, 10, 300_000)).await;
    let pages = attempt_pages(&engine, large, 1000).await;
    let leases = pages.iter().map(|page| {
        let leases = page.iter().map(|(_, epochs)| epochs.len());
        leases.sum::<usize>()
    });
    assert_eq!(leases.collect::<Vec<_>>(), [4, 4, 2]);
    let epochs = pages.concat().into_iter().flat_map(|(_, epochs)| epochs);
    assert_eq!(epochs.collect::<Vec<_>>(), Vec::from_iter(1..=10));
}

/// Reads a history from a place to its end.
async fn history_from(
    engine: &Engine,
    id: ExecutionId,
    mut after: Option<HistoryPlace>,
    limit: u32,
) -> Vec<HistoryEntry> {
    let mut history = Vec::new();
    loop {
        let page = engine.history(id, None, after, limit).await;
        let page = page.answered().expect("known");
        assert!(page.len() <= limit as usize);
        after = page.next().copied();
        history.extend(page);
        if after.is_none() {
            return history;
        }
    }
}

fn what(history: &[HistoryEntry]) -> Vec<&str> {
    history.iter().map(|entry| entry.what.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_the_same_in_pages_of_any_size() {
    let (database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    run(&database, insert_leases(id, 5, 0)).await;
    for number in 0..4 {
        let tags = BTreeMap::from([("app.n".to_owned(), Some(number.to_string()))]);
        engine.tag(operate(id), tags).await.accepted();
    }
    engine
        .expire(operate(id), Default::default())
        .await
        .accepted();
    // Everything at one time, then the operations in between the leases.
    let at_once = "UPDATE operation o SET at = e.created_at FROM execution e";
    let apart = "UPDATE attempt SET acquired_at = acquired_at + epoch * interval '2 seconds',
                                    released_at = acquired_at + epoch * interval '2 seconds'";
    let between = "UPDATE operation SET at = at + interval '5 seconds' WHERE verb = 'tag'";
    for change in [Vec::new(), vec![at_once], vec![apart, between]] {
        for statement in change {
            run(&database, statement.to_owned()).await;
        }
        let whole = lists::history(&engine, id).await;
        assert_eq!(whole.len(), 1 + 5 * 2 + 5 + 1);
        assert_eq!(whole[0].what, "created");
        for limit in 1..7 {
            let parts = history_from(&engine, id, None, limit).await;
            assert_eq!(parts, whole, "{limit} at a time");
        }
    }
    let ordered = lists::history(&engine, id).await;
    assert!(
        ordered[1..]
            .iter()
            .filter(|entry| entry.what != "expired" && entry.what != "expire")
            .is_sorted_by_key(|entry| entry.at),
        "{ordered:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_grows_continues_after_its_cursor() {
    let (_database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let tag = async || {
        let tags = BTreeMap::from([("app.a".to_owned(), Some("b".to_owned()))]);
        engine.tag(operate(id), tags).await.accepted();
    };
    let first = claim_one(&engine).await;
    tag().await;
    let page = engine.history(id, None, None, 2).await.answered();
    let page = page.expect("known");
    assert_eq!(what(&page), ["created", "acquired"]);
    let held = page.next().copied();
    completed(&engine, first.fence).await;
    let rest = history_from(&engine, id, held, 2).await;
    assert_eq!(what(&rest), ["tag", "success", "completed"]);

    tag().await;
    let page = engine.history(id, None, held, 3).await.answered();
    let page = page.expect("known");
    assert_eq!(what(&page), ["tag", "success", "completed"]);
    let ended = page.next().copied();
    engine.replay(operate(id)).await.accepted();
    completed(&engine, claim_one(&engine).await.fence).await;
    let rest = history_from(&engine, id, ended, 2).await;
    let second = ["tag", "replay", "acquired", "success", "completed"];
    assert_eq!(what(&rest), second);
    // The outcome before the replay is not kept.
    let whole = lists::history(&engine, id).await;
    let first = ["created", "acquired", "tag", "success"];
    assert_eq!(what(&whole), [&first[..], &second].concat());
}
