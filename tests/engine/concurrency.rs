//! Many callers and several engines on one database: each execution is run to
//! its end once, and no event is skipped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use engine::{Cancel, Complete, Create, Engine, Fail, Payload, Settings};
use model::{EventFamily, EventKind, EventStart, ExecutionId, Failure, FailureClass, PublicState};
use testkit::{Answered, database, eventually};

use crate::support::lists::events;
use crate::support::work::claim;

fn create(n: usize) -> Create {
    Create::new("echo", Payload::new("text/plain", n.to_string()))
}

/// Claims and completes until told to stop; counts what was accepted.
async fn work(engine: Engine, stop: Arc<AtomicBool>, accepted: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let claimed = claim(&engine, 50).await;
        if claimed.is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let ends = claimed.into_iter().map(|claimed| {
            let engine = &engine;
            let accepted = &accepted;
            async move {
                let complete = Complete {
                    fence: claimed.fence,
                    result: claimed.input,
                    report: Default::default(),
                };
                if engine.complete(complete).await.answered().is_ok() {
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        futures::future::join_all(ends).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_engines_complete_each_execution_once() {
    const EXECUTIONS: usize = 2000;
    let database = database().await;
    let engines = [database.engine().await, database.engine().await];
    let stop = Arc::new(AtomicBool::new(false));
    let accepted: Vec<_> = engines
        .iter()
        .map(|_| Arc::new(AtomicUsize::new(0)))
        .collect();
    let workers: Vec<_> = engines
        .iter()
        .zip(&accepted)
        .map(|(engine, accepted)| {
            tokio::spawn(work(
                engine.clone(),
                Arc::clone(&stop),
                Arc::clone(accepted),
            ))
        })
        .collect();
    let created = engines[0]
        .create_batch((0..EXECUTIONS).map(create).collect())
        .await;
    let ids: Vec<ExecutionId> = created.into_iter().map(|c| c.accepted().id()).collect();
    for id in &ids {
        let finished = engines[1].wait_finished(*id, Duration::from_secs(30)).await;
        assert!(finished.answered(), "{id} is finished");
    }
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.expect("no worker panics");
    }
    let shares: Vec<_> = accepted.iter().map(|n| n.load(Ordering::Relaxed)).collect();
    assert_eq!(shares.iter().sum::<usize>(), EXECUTIONS);
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_complete_fail_and_cancel_exactly_one_wins() {
    let database = database().await;
    let engine = database.engine().await;
    for round in 0..60 {
        let id = engine.create(create(round)).await.accepted().id();
        let fence = claim(&engine, 1).await.remove(0).fence;
        let complete = engine.complete(Complete {
            fence,
            result: Payload::new("text/plain", "done"),
            report: Default::default(),
        });
        let fail = engine.fail(Fail {
            fence,
            failure: Failure::new(FailureClass::Permanent, "broken", "it broke"),
            timed_out: false,
            report: Default::default(),
            known: None,
        });
        let cancel = engine.cancel(Cancel {
            id,
            namespace: None,
            reason: None,
            source: Default::default(),
            actor: None,
        });
        let (complete, fail, cancel) = tokio::join!(complete, fail, cancel);
        let won = [
            (complete.answered().is_ok(), PublicState::Completed),
            (fail.answered().is_ok(), PublicState::Failed),
            (cancel.answered().is_ok(), PublicState::Cancelled),
        ];
        let winners: Vec<_> = won
            .iter()
            .filter(|(ok, _)| *ok)
            .map(|(_, state)| *state)
            .collect();
        let info = engine.get(id, None).await.answered().expect("known");
        assert_eq!(winners, [info.public_state], "round {round}");
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_of_events_skips_none_under_concurrent_writers() {
    const EXECUTIONS: usize = 600;
    let database = database().await;
    let writers = [database.engine().await, database.engine().await];
    let reader = database.engine().await;
    let stop = Arc::new(AtomicBool::new(false));
    let accepted = Arc::new(AtomicUsize::new(0));
    for engine in &writers {
        tokio::spawn(work(
            engine.clone(),
            Arc::clone(&stop),
            Arc::clone(&accepted),
        ));
    }
    let creating = writers.clone().map(|engine| {
        tokio::spawn(async move {
            for n in 0..EXECUTIONS / 2 {
                engine.create(create(n)).await.accepted();
            }
        })
    });
    let mut request = events::of(EventFamily::Lifecycle);
    request.limit = 37;
    let mut start = EventStart::Beginning;
    let mut last = None;
    let mut seen: HashMap<ExecutionId, Vec<EventKind>> = HashMap::new();
    let mut cursors = HashSet::new();
    let whole = [EventKind::Created, EventKind::Acquired, EventKind::Success];
    eventually("every event is read", async || {
        let page = reader.events(&request, &start).await.accepted();
        for event in &page.events {
            let place = event.logged.place;
            assert!(last < Some(place), "places only grow");
            assert!(cursors.insert(event.cursor.clone()), "no event comes twice");
            last = Some(place);
            let id = event.logged.execution_id.expect("of an execution");
            seen.entry(id).or_default().push(events::kind(event));
        }
        start = EventStart::After(page.cursor);
        (seen.values().filter(|kinds| **kinds == whole).count() == EXECUTIONS).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    for creating in creating {
        creating.await.expect("created");
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_instance_of_many_partitions_works_like_one_of_one() {
    let database = database().await;
    let engine = Engine::connect(Settings {
        partitions: Some(7),
        ..database.settings()
    })
    .await
    .expect("an engine opens");
    assert_eq!(engine.instance().partitions.count(), 7);
    engine.define_kind("echo").await.accepted();
    let keyed = (0..50).map(|n| Create {
        idempotency_key: (n % 2 == 0).then(|| format!("key-{n}")),
        ..create(n)
    });
    let created = engine.create_batch(keyed.clone().collect()).await;
    let ids: HashSet<_> = created.into_iter().map(|c| c.accepted().id()).collect();
    assert!(
        ids.iter()
            .map(|id| id.partition())
            .collect::<HashSet<_>>()
            .len()
            > 1
    );
    let again = engine.create(keyed.clone().next().expect("one")).await;
    assert!(ids.contains(&again.accepted().id()));
    let mut done = HashSet::new();
    while done.len() < ids.len() {
        for claimed in claim(&engine, 20).await {
            done.insert(claimed.fence.execution_id);
            let complete = Complete {
                fence: claimed.fence,
                result: claimed.input,
                report: Default::default(),
            };
            engine.complete(complete).await.accepted();
        }
    }
    assert_eq!(done, ids);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_one_key_in_a_batch_the_first_makes_the_execution() {
    let database = database().await;
    let engine = database.engine().await;
    engine.define_kind("echo").await.accepted();
    for round in 0..50 {
        let pairs = (0..4).flat_map(|key| {
            [0, 1].map(|n| Create {
                idempotency_key: Some(format!("{round}-{key}")),
                ..create(n)
            })
        });
        let answers = engine.create_batch(pairs.collect()).await;
        for pair in answers.chunks(2) {
            assert!(matches!(pair, [Ok(_), Err(_)]), "{round}: {pair:?}");
        }
    }
}
