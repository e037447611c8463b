//! A flow is kept as a whole, and removed as a whole.

use std::time::Duration;

use engine::Engine;
use model::Retention;
use testkit::{Answered, database};

use crate::support::flows::{
    claimed, edges, graph, grow, id_of, made, member, settle, shown, start_child, step, succeed,
};
use crate::support::work::{claim_one, create, created};

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
    let id = made(&engine, graph("a b c", "a>b")).await;
    let empty = made(&engine, graph("", "")).await;
    assert_eq!(step(&engine, &[]).await, "a c");
    let a = id_of(&engine, id, "a").await;
    let alone = created(&engine, create("alone")).await;
    let running = claimed(&engine).await;
    succeed(&engine, &running["alone"]).await;
    database.advance(Duration::from_secs(120)).await;
    settle(&engine).await;
    // One of its members runs on, so all of it stays; what is of no flow goes.
    assert!(engine.get(alone, None).await.answered().is_none());
    assert!(engine.flow(empty, None).await.answered().is_none());
    assert_eq!(
        shown(&engine, id).await,
        "a completed, b active, c completed"
    );
    assert!(engine.get(a, None).await.answered().is_some());
    let renewed = engine.renew(&[running["b"].fence], 30_000).await.answered();
    if renewed[0].is_ok() {
        succeed(&engine, &running["b"]).await;
    } else {
        settle(&engine).await;
        assert_eq!(step(&engine, &[]).await, "b");
    }
    settle(&engine).await;
    let mut more = graph("", "");
    more.members = vec![member("d")];
    more.edges = edges("a>d");
    engine.grow_flow(grow(id, more)).await.accepted();
    settle(&engine).await;
    let last = claim_one(&engine).await;
    start_child(&engine, last.fence).await;
    succeed(&engine, &last).await;
    settle(&engine).await;
    database.advance(Duration::from_secs(120)).await;
    settle(&engine).await;
    assert!(
        engine.flow(id, None).await.answered().is_some(),
        "a child is delayed"
    );
    database.advance(Duration::from_secs(3600)).await;
    settle(&engine).await;
    assert_eq!(step(&engine, &[]).await, "late");
    database.advance(Duration::from_secs(120)).await;
    settle(&engine).await;
    assert!(engine.flow(id, None).await.answered().is_none());
    assert!(engine.get(a, None).await.answered().is_none());
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
