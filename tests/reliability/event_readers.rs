//! Readers of the event log while writers write, a transaction of another client stays
//! open, connections are cut and the server is killed: every reader gets every event of
//! the log once and in order.
//!
//! `FLOWHOST_EVENTS` sets how many events are written at least.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use engine::{Declined, Engine, Settings};
use model::{EventCursor, EventFamily, EventPlace, EventStart, ExecutionId};
use sqlx::{Connection as _, Executor as _, PgConnection};
use testkit::{Answered, Proxy, eventually};
use tokio::sync::watch;

use super::outage::kill_postmaster;
use crate::support::lists::events;
use crate::support::server::cluster::cluster;
use crate::support::work::{complete, create, try_claim};

const WRITERS: usize = 16;
const READERS: usize = 8;

/// What a reader saw, and how long it was without an answer that it could read.
struct Seen {
    events: Vec<(EventPlace, ExecutionId, String)>,
    longest: Duration,
}

fn wanted() -> u64 {
    let given = std::env::var("FLOWHOST_EVENTS").ok();
    given.map_or(6_000, |text| text.parse().expect("a number of events"))
}

async fn write(engine: Engine, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) {
    while !stop.load(Ordering::Relaxed) {
        match engine.create(create("x")).await {
            Ok(_) => {
                // A creation, a lease and an end.
                written.fetch_add(3, Ordering::Relaxed);
            }
            Err(Declined::Fault(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(Declined::Refused(refusal)) => panic!("{refusal}"),
        }
    }
}

/// Completes what there is, until all that was created has ended.
async fn work(engine: Engine, stop: Arc<AtomicBool>) {
    loop {
        let claimed = try_claim(&engine, 100).await.unwrap_or_default();
        if claimed.is_empty() && stop.load(Ordering::Relaxed) {
            return;
        }
        let ends = claimed
            .iter()
            .map(|claimed| engine.complete(complete(claimed.fence, "")));
        futures::future::join_all(ends).await;
        if claimed.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Reads as a client does that keeps its cursor, until it has as many events as the log:
/// after a fault it asks again from there.
async fn read(engine: Engine, from: EventCursor, all: watch::Receiver<Option<usize>>) -> Seen {
    let request = events::of(EventFamily::Lifecycle);
    let mut cursor = from;
    let mut seen = Seen {
        events: Vec::new(),
        longest: Duration::ZERO,
    };
    let mut last = Instant::now();
    while all.borrow().is_none_or(|all| seen.events.len() < all) {
        let start = EventStart::After(cursor.clone());
        let wait = Duration::from_millis(300);
        match engine.await_events(&request, &start, wait).await {
            Ok(page) => {
                if !page.events.is_empty() {
                    seen.longest = seen.longest.max(last.elapsed());
                    last = Instant::now();
                }
                seen.events.extend(page.events.iter().map(|event| {
                    let id = event.logged.execution_id.expect("of an execution");
                    (event.logged.place, id, event.fact.name().to_owned())
                }));
                cursor = page.cursor;
            }
            Err(Declined::Fault(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(Declined::Refused(refusal)) => panic!("{refusal}"),
        }
    }
    seen
}

/// A transaction with an id that has nothing to do with the log.
async fn open_transaction(url: &str) -> PgConnection {
    let connect = async || PgConnection::connect(url).await.ok();
    let mut connection = eventually("the server answers", connect).await;
    let statements =
        "BEGIN; CREATE TEMPORARY TABLE elsewhere (x integer); INSERT INTO elsewhere VALUES (1)";
    connection.execute(statements).await.expect("written");
    connection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_reader_gets_every_event_once_and_in_order_while_things_fail() {
    let (server, _folder) = tokio::task::spawn_blocking(cluster).await.expect("started");
    let url = server.url("flowhost");
    let engine = async |url: &str| Engine::connect(Settings::new(url)).await.expect("opens");
    let writers = [engine(&url).await, engine(&url).await];
    writers[0].define_kind("echo").await.accepted();
    let proxy = Proxy::start(&url).await;
    let readers = [engine(&url).await, engine(proxy.url()).await];
    let request = events::of(EventFamily::Lifecycle);
    let begin = writers[0]
        .events(&request, &EventStart::Now)
        .await
        .accepted()
        .cursor;

    let mut long = open_transaction(&url).await;
    let (stop, written) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut writing = Vec::new();
    for n in 0..WRITERS {
        let (engine, stop) = (writers[n % 2].clone(), Arc::clone(&stop));
        writing.push(tokio::spawn(write(engine, stop, Arc::clone(&written))));
    }
    let working = writers
        .clone()
        .map(|engine| tokio::spawn(work(engine, Arc::clone(&stop))));
    let (all, known) = watch::channel(None);
    let reading: Vec<_> = (0..READERS)
        .map(|n| tokio::spawn(read(readers[n % 2].clone(), begin.clone(), known.clone())))
        .collect();

    let reach = async |part: u64| {
        while written.load(Ordering::Relaxed) < wanted() * part / 4 {
            proxy.swallow_open_connections();
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    };
    reach(2).await;
    drop(long);
    kill_postmaster(&server);
    eventually("the server is started again", async || {
        (server.restarts() > 0).then_some(())
    })
    .await;
    long = open_transaction(&url).await;
    reach(4).await;
    stop.store(true, Ordering::Relaxed);
    for task in writing.into_iter().chain(working) {
        task.await.expect("wrote");
    }

    let mut truth = Vec::new();
    let mut cursor = begin;
    loop {
        let start = EventStart::After(cursor);
        let page = writers[0].events(&request, &start).await.accepted();
        truth.extend(page.events.iter().map(|event| event.logged.place));
        cursor = page.cursor;
        if !page.more {
            break;
        }
    }
    assert!(truth.len() as u64 >= wanted() / 2, "{} events", truth.len());
    all.send_replace(Some(truth.len()));
    assert!(truth.is_sorted_by(|a, b| a < b), "in order, each once");
    for (n, reading) in reading.into_iter().enumerate() {
        // Those behind the proxy may have the larger part of the log before them.
        let bound = Duration::from_secs(90 + truth.len() as u64 / 1000);
        let seen = tokio::time::timeout(bound, reading).await;
        let seen = seen.expect("it gets all of them").expect("read");
        let places: Vec<_> = seen.events.iter().map(|(place, ..)| *place).collect();
        let gap = places.iter().zip(&truth).position(|(seen, is)| seen != is);
        assert_eq!(gap, None, "reader {n} saw something else than the log has");
        assert_eq!(places.len(), truth.len(), "reader {n}");
        let mut last = std::collections::HashMap::new();
        for (_, id, name) in &seen.events {
            let before = last.insert(*id, name.as_str());
            let follows = match name.as_str() {
                "created" => before.is_none(),
                "acquired" | "reclaimed" => before.is_some(),
                _ => before.is_some_and(|before| before != "success"),
            };
            assert!(follows, "reader {n}: {name} after {before:?}");
        }
        eprintln!(
            "reader {n}: {} events, longest pause {:?}",
            places.len(),
            seen.longest
        );
    }
    long.execute("ROLLBACK")
        .await
        .expect("it was open to the end");
}
