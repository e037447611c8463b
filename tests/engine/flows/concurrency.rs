//! Several hosts on one flow: what is decided, is decided once, in whichever order they come.

use engine::{Engine, Graph};
use model::{EventFamily, EventKind, ExecutionId, FlowStatus, OnSatisfied};
use sqlx::Executor as _;
use testkit::{Answered, eventually};

use crate::support::flows::{
    any_of, claimed, fail_for_good, graph, group, grow, info, made, members, quorum, settle, shown,
    step, succeed,
};
use crate::support::lists::events;
use crate::support::work::setup;

/// How often an execution was let begin, and how often it was skipped.
async fn decided(engine: &Engine, id: ExecutionId) -> (usize, usize) {
    let mut request = events::of(EventFamily::Lifecycle);
    request.filter.execution_id = Some(id);
    let told = events::all(engine, &request).await;
    let count = |kind| told.iter().filter(|it| events::kind(it) == kind).count();
    (count(EventKind::Promoted), count(EventKind::Skipped))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_end_the_last_two_parents_decide_a_quorum_once() {
    let (database, one) = setup().await;
    let two = database.engine().await;
    for (first, second, then) in [
        ("+", "+", (1, 0)),
        ("+", "-", (1, 0)),
        ("-", "+", (1, 0)),
        ("-", "-", (0, 1)),
    ] {
        for holds in [true, false] {
            let mut race = graph("a b c end", "a>end b>end c>end");
            race.groups = vec![group("end", quorum(2, OnSatisfied::CancelRemaining))];
            let id = made(&one, race).await;
            let running = claimed(&one).await;
            succeed(&one, &running["a"]).await;
            settle(&one).await;
            // Both hosts read the flow before either of them writes.
            let mut blocker = database.connection().await;
            if holds {
                blocker.execute("BEGIN").await.expect("begun");
                let lock = "SELECT FROM flow FOR UPDATE";
                blocker.execute(lock).await.expect("locked");
            }
            let end = async |engine: &Engine, name: &str, how: &str| {
                match how {
                    "+" => succeed(engine, &running[name]).await,
                    _ => fail_for_good(engine, &running[name]).await,
                }
                engine.reconcile().await.answered();
            };
            let both = async {
                tokio::join!(end(&one, "b", first), end(&two, "c", second));
            };
            let release = async {
                if !holds {
                    return;
                }
                let mut looker = database.connection().await;
                eventually("both wait for the flow", async || {
                    let waiting: i64 = sqlx::query_scalar(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                         AND wait_event_type = 'Lock'",
                    )
                    .fetch_one(&mut looker)
                    .await
                    .expect("looked");
                    (waiting >= 2).then_some(())
                })
                .await;
                blocker.execute("ROLLBACK").await.expect("released");
            };
            tokio::join!(both, release);
            settle(&one).await;
            let last = members(&one, id).await.remove("end").expect("there");
            // `c` may have been cancelled before it could fail.
            assert_eq!(
                decided(&one, last.execution.id).await,
                then,
                "{first}{second}"
            );
            step(&one, &[]).await;
            assert_eq!(info(&one, id).await.ended_count, 4);
            database.assert_invariants().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_is_made_while_its_upstream_ends_is_never_lost() {
    let (database, one) = setup().await;
    let two = database.engine().await;
    for round in 0..40_u64 {
        let id = made(&one, graph("a", "")).await;
        let running = claimed(&one).await;
        let growing = async {
            tokio::time::sleep(std::time::Duration::from_micros(round * 100)).await;
            two.grow_flow(grow(id, graph("b c", "a>b a*c")))
                .await
                .accepted();
            two.reconcile().await.answered();
        };
        let ending = async {
            succeed(&one, &running["a"]).await;
            one.reconcile().await.answered();
        };
        tokio::join!(growing, ending);
        settle(&two).await;
        assert_eq!(step(&two, &[]).await, "b c", "round {round}");
        assert_eq!(info(&one, id).await.status, FlowStatus::Completed);
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_that_grow_one_flow_at_once_all_come_through() {
    let (database, one) = setup().await;
    let two = database.engine().await;
    let id = made(&one, graph("root", "")).await;
    let growing = (0..30).map(|n| {
        let engine = if n % 2 == 0 { one.clone() } else { two.clone() };
        async move {
            let added = graph(&format!("m{n}"), &format!("root>m{n}"));
            engine.grow_flow(grow(id, added)).await.accepted();
        }
    });
    futures::future::join_all(growing).await;
    assert_eq!(info(&one, id).await.graph_revision, 61);
    assert_eq!(step(&one, &[]).await, "root");
    assert_eq!(step(&one, &[]).await.split(' ').count(), 30);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_ended_before_it_died_is_resolved_by_another() {
    let (database, one) = setup().await;
    let mut race = graph("a b c end", "a>end b>end c>end");
    race.groups = vec![group("end", any_of(OnSatisfied::CancelRemaining))];
    let id = made(&one, race).await;
    let running = claimed(&one).await;
    // It resolves nothing: it ends right after the statement of the end.
    succeed(&one, &running["a"]).await;
    one.close().await;
    let two = database.engine().await;
    settle(&two).await;
    let then = "a completed, b cancelled, c cancelled, end waiting";
    assert_eq!(shown(&two, id).await, then);
    // The statement of the resolution was written, and what it lists is not cancelled yet.
    let id = made(&two, graph("d e", "d>e")).await;
    let mut connection = database.connection().await;
    sqlx::query("INSERT INTO flow_cancel SELECT partition, flow_id, execution_id, 'gone' FROM flow_member WHERE flow_id = $1 AND name = 'd'")
        .bind(id.uuid())
        .execute(&mut connection)
        .await
        .expect("listed");
    settle(&two).await;
    assert_eq!(shown(&two, id).await, "d cancelled, e skipped");
    // What is left of a flow that is gone holds nothing up.
    sqlx::query("INSERT INTO flow_due VALUES (0, gen_random_uuid(), gen_random_uuid(), 1)")
        .execute(&mut connection)
        .await
        .expect("left");
    settle(&two).await;
    let grown = two.grow_flow(grow(id, Graph::default())).await.accepted();
    assert!(!grown.applied);
    database.assert_invariants().await;
}
