//! A flow is kept as a whole, and removed as a whole.

use std::time::Duration;

use engine::{Create, Engine, Graph, MemberRef, NewEdge};
use model::{EdgeKind, ExecutionId, Retention};
use testkit::{Answered, Database, database};

use crate::support::flows::{claimed, graph, grow, info, made, settle, succeed};
use crate::support::work::{create, created};

/// Creates an execution whose id says that it is a day old.
async fn aged(database: &Database, engine: &Engine, name: &str) -> ExecutionId {
    let ms: i64 = sqlx::query_scalar(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 86400000",
    )
    .fetch_one(&mut database.connection().await)
    .await
    .expect("the time");
    let number = u64::from(name.as_bytes()[0]);
    let partition = model::Partition::new(0).expect("in range");
    let create = Create {
        id: Some(ExecutionId::from_parts(
            partition,
            ms.unsigned_abs(),
            number,
        )),
        ..create(name)
    };
    created(engine, create).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_stays_until_all_its_members_have_ended_long_ago_and_then_goes_whole() {
    let database = database().await;
    let mut settings = database.settings();
    settings.retention = Retention {
        finished_ms: 60_000,
        ..settings.retention
    };
    let engine = Engine::connect(settings).await.expect("connected");
    engine.define_kind("echo").await.accepted();
    let mut ids = Vec::new();
    for name in ["a", "b", "z"] {
        ids.push(aged(&database, &engine, name).await);
    }
    let id = made(&engine, graph("", "")).await;
    let empty = made(&engine, graph("", "")).await;
    let joined = Graph {
        added: ids[..2].to_vec(),
        edges: vec![NewEdge {
            upstream: MemberRef::Id(ids[0]),
            downstream: MemberRef::Id(ids[1]),
            kind: EdgeKind::SuccessOnly,
            data_passing_ref: None,
        }],
        ..Graph::default()
    };
    engine.grow_flow(grow(id, joined)).await.accepted();
    let running = claimed(&engine).await;
    succeed(&engine, &running["a"]).await;
    succeed(&engine, &running["z"]).await;
    settle(&engine).await;
    let running = claimed(&engine).await;
    database.advance(Duration::from_secs(20)).await;
    let renewed = engine
        .renew(&[running["b"].fence], 600_000)
        .await
        .answered();
    assert!(renewed[0].is_ok());
    database.advance(Duration::from_secs(100)).await;
    settle(&engine).await;
    let there = async |id| engine.get(id, None).await.answered().is_some();
    assert!(!there(ids[2]).await, "it is of no flow");
    assert!(there(ids[0]).await, "another member runs");
    assert!(engine.flow(empty, None).await.answered().is_none());
    succeed(&engine, &running["b"]).await;
    settle(&engine).await;
    assert_eq!(info(&engine, id).await.ended_count, 2);
    assert!(there(ids[0]).await, "the flow has just ended");
    database.advance(Duration::from_secs(120)).await;
    settle(&engine).await;
    assert!(engine.flow(id, None).await.answered().is_none());
    settle(&engine).await;
    let left: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM flow_member) + (SELECT count(*) FROM flow_edge)
              + (SELECT count(*) FROM flow_group) + (SELECT count(*) FROM flow)
              + (SELECT count(*) FROM execution)",
    )
    .fetch_one(&mut database.connection().await)
    .await
    .expect("counted");
    assert_eq!(left, 0, "nothing is left");
    database.assert_invariants().await;
}
