//! Filters, cursors, and readers that wait.

use std::time::Duration;

use engine::{CreateFlow, Engine, EventRequest, Graph, NewMember};
use futures::StreamExt as _;
use model::{Event, EventCursor, EventFamily, EventStart, ExecutionId, Retention};
use sqlx::Executor as _;
use testkit::{Answered, database, eventually};

use crate::support::flows::grow;
use crate::support::lists::events;
use crate::support::work::{claim_one, completed, create, created, setup};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(200);

fn ids(events: &[Event]) -> Vec<ExecutionId> {
    let ids = events.iter().map(|event| event.logged.execution_id);
    ids.map(|id| id.expect("of an execution")).collect()
}

/// Reads without a wait what waits for its reader, and at the head what comes.
async fn both_ways(
    engine: &Engine,
    request: &EventRequest,
    start: &EventStart,
) -> Vec<ExecutionId> {
    let behind = engine.events(request, start).await.accepted().events;
    let (mut head, mut start) = (Vec::new(), start.clone());
    // The head may be read in parts.
    while head.len() < behind.len() {
        let page = engine.await_events(request, &start, LONG).await.accepted();
        head.extend(page.events);
        start = EventStart::After(page.cursor);
    }
    let more = engine.await_events(request, &start, SHORT).await.accepted();
    head.extend(more.events);
    assert_eq!(ids(&behind), ids(&head), "{:?}", request.filter);
    ids(&behind)
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_agree_whether_a_reader_is_behind_or_at_the_head() {
    let (_database, engine) = setup().await;
    let mut request = events::of(EventFamily::Lifecycle);
    // Another reader follows, so that what is written from here on is kept for all.
    let (other, registry) = (engine.clone(), events::of(EventFamily::Registry));
    let followed = tokio::spawn(async move {
        let read = other.await_events(&registry, &EventStart::Now, LONG).await;
        read.accepted();
    });
    let page = engine.await_events(&request, &EventStart::Now, SHORT).await;
    let start = EventStart::After(page.accepted().cursor);
    engine.define_kind("resize").await.accepted();
    let flow = engine
        .create_flow(CreateFlow::new("test"))
        .await
        .accepted()
        .id;
    let mut made = Vec::new();
    for (namespace, lane, kind, tag, flow) in [
        ("default", "default", "echo", None, None),
        ("blue", "default", "echo", None, None),
        ("default", "express", "echo", None, None),
        ("default", "default", "resize", Some("a"), None),
        ("default", "default", "resize", Some("b"), Some(flow)),
    ] {
        let mut create = create("x");
        create.namespace = namespace.to_owned();
        create.lane = lane.to_owned();
        create.kind = kind.to_owned();
        create
            .tags
            .extend(tag.map(|value| ("test.team".to_owned(), value.to_owned())));
        let Some(flow) = flow else {
            made.push(created(&engine, create).await);
            continue;
        };
        let graph = Graph {
            members: vec![NewMember { name: None, create }],
            ..Graph::default()
        };
        let grown = engine.grow_flow(grow(flow, graph)).await.accepted();
        made.push(grown.members[0].id);
    }
    request.filter.namespace = Some("blue".to_owned());
    assert_eq!(both_ways(&engine, &request, &start).await, [made[1]]);
    request.filter.namespace = None;
    request.filter.lane = Some("express".to_owned());
    assert_eq!(both_ways(&engine, &request, &start).await, [made[2]]);
    request.filter.lane = None;
    request.filter.kind = Some("resize".to_owned());
    assert_eq!(
        both_ways(&engine, &request, &start).await,
        [made[3], made[4]]
    );
    request.filter.tag = Some(("test.team".to_owned(), "a".to_owned()));
    assert_eq!(both_ways(&engine, &request, &start).await, [made[3]]);
    request.filter.tag = None;
    request.filter.flow_id = Some(flow);
    assert_eq!(both_ways(&engine, &request, &start).await, [made[4]]);
    request.filter.kind = Some("echo".to_owned());
    assert_eq!(
        both_ways(&engine, &request, &start).await,
        [],
        "all must fit"
    );
    request.filter = Default::default();
    request.filter.execution_id = Some(made[0]);
    assert_eq!(both_ways(&engine, &request, &start).await, [made[0]]);
    followed.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_filter_finds_what_retention_has_removed() {
    let database = database().await;
    let mut settings = database.settings();
    settings.retention = Retention {
        finished_ms: 1000,
        ..settings.retention
    };
    let engine = Engine::connect(settings).await.expect("connected");
    engine.define_kind("echo").await.accepted();
    let mut labelled = create("x");
    labelled.tags.insert("test.team".to_owned(), "a".to_owned());
    let id = created(&engine, labelled).await;
    created(&engine, create("another")).await;
    for _ in 0..2 {
        completed(&engine, claim_one(&engine).await.fence).await;
    }
    let mut request = events::of(EventFamily::Completion);
    request.filter.tag = Some(("test.team".to_owned(), "a".to_owned()));
    database.advance(Duration::from_secs(3600 * 24 * 2)).await;
    eventually("it is removed", async || {
        engine.reconcile().await.expect("swept");
        engine
            .get(id, None)
            .await
            .answered()
            .is_none()
            .then_some(())
    })
    .await;
    let told = events::all(&engine, &request).await;
    assert_eq!(ids(&told), [id]);
    request.filter.tag = Some(("test.team".to_owned(), "b".to_owned()));
    assert_eq!(events::all(&engine, &request).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_slips_between_now_and_the_first_read() {
    let (_database, engine) = setup().await;
    created(&engine, create("before")).await;
    let request = events::of(EventFamily::Lifecycle);
    for _ in 0..20 {
        let now = engine.events(&request, &EventStart::Now).await.accepted();
        assert_eq!((now.events.len(), now.more), (0, false));
        let id = created(&engine, create("after")).await;
        let page = engine
            .await_events(&request, &EventStart::After(now.cursor), LONG)
            .await;
        assert_eq!(
            ids(&page.accepted().events),
            [id],
            "that one and none before"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_on_another_host_are_woken_and_a_cut_stream_continues_without_a_gap() {
    const EXECUTIONS: usize = 200;
    let (database, writer) = setup().await;
    let request = events::of(EventFamily::Lifecycle);
    let readers = [database.engine().await, database.engine().await];
    let now = writer
        .events(&request, &EventStart::Now)
        .await
        .accepted()
        .cursor;
    let mut reading = Vec::new();
    for (number, reader) in readers.iter().enumerate() {
        let (reader, request, mut cursor) = (reader.clone(), request.clone(), now.clone());
        reading.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < EXECUTIONS {
                let start = EventStart::After(cursor.clone());
                let stream = reader.follow_events(request.clone(), start);
                let mut pages = std::pin::pin!(stream);
                // Cut after every few pages.
                for _ in 0..=number {
                    let page = pages.next().await.expect("without end").expect("read");
                    seen.extend(ids(&page.events));
                    cursor = page.cursor;
                }
            }
            seen
        }));
    }
    let mut made = Vec::new();
    for _ in 0..EXECUTIONS {
        made.push(created(&writer, create("x")).await);
    }
    for reading in reading {
        let seen = tokio::time::timeout(LONG, reading)
            .await
            .expect("woken")
            .expect("read");
        assert_eq!(seen, made, "in order, each once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_too_slow_for_the_head_loses_nothing() {
    const EXECUTIONS: usize = 300;
    let (_database, engine) = setup().await;
    let mut request = events::of(EventFamily::Lifecycle);
    request.limit = 7;
    let mut cursor = engine
        .events(&request, &EventStart::Now)
        .await
        .accepted()
        .cursor;
    let mut made = Vec::new();
    let mut seen = Vec::new();
    while seen.len() < EXECUTIONS {
        if made.len() < EXECUTIONS {
            for _ in 0..50 {
                made.push(created(&engine, create("x")).await);
            }
        }
        let page = engine
            .await_events(&request, &EventStart::After(cursor), LONG)
            .await
            .accepted();
        assert!(page.events.len() <= 7);
        seen.extend(ids(&page.events));
        cursor = page.cursor;
    }
    assert_eq!(seen, made);
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_of_others_are_refused_and_filtered_events_move_them() {
    let (database, engine) = setup().await;
    let restored = "UPDATE instance SET generation = generation + 1";
    let mut connection = database.connection().await;
    connection.execute(restored).await.expect("changed");
    let elsewhere = database.engine().await;
    let mut request = events::of(EventFamily::Lifecycle);
    let cursor = engine
        .events(&request, &EventStart::Now)
        .await
        .accepted()
        .cursor;
    let mut leases = events::of(EventFamily::LeaseHistory);
    let mangled = EventCursor(format!("{cursor}0"));
    for (engine, request, cursor) in [
        (&engine, &leases, &cursor),
        (&elsewhere, &request, &cursor),
        (&engine, &request, &mangled),
        (&engine, &request, &EventCursor(String::new())),
        (&engine, &request, &EventCursor("x".repeat(1 << 20))),
    ] {
        let start = EventStart::After(cursor.clone());
        let refused = engine
            .events(request, &start)
            .await
            .answered()
            .expect_err("refused");
        assert_eq!(model::Refusal::code(&refused), "invalid_cursor");
        let refused = engine.await_events(request, &start, LONG).await.answered();
        assert_eq!(
            model::Refusal::code(&refused.expect_err("refused")),
            "invalid_cursor"
        );
    }
    leases.limit = 0;
    let refused = engine.events(&leases, &EventStart::Now).await.answered();
    assert_eq!(
        model::Refusal::code(&refused.expect_err("refused")),
        "invalid_input"
    );

    request.filter.kind = Some("nothing".to_owned());
    for _ in 0..3 {
        created(&engine, create("x")).await;
    }
    let page = engine
        .await_events(&request, &EventStart::After(cursor.clone()), SHORT)
        .await;
    let page = page.accepted();
    assert_eq!(page.events, []);
    assert_ne!(
        page.cursor, cursor,
        "the place moved past what was filtered out"
    );
}
