//! Lanes that take and serve work or do not, and who is served how much of it.

use std::collections::HashMap;

use engine::{Claim, Claimed, Create, Engine, LaneState};
use model::{BlockingReason, EligibilityState, ExecutionId, PublicState};
use testkit::{Answered, eventually};

use crate::support::idle_worker::idle_worker;
use crate::support::work::{create, setup};

fn wanted(max: u32) -> Claim {
    Claim {
        worker_instance_id: "test".to_owned(),
        namespaces: None,
        lanes: Vec::new(),
        kinds: None,
        capabilities: Default::default(),
        max,
        lease_ttl_ms: 30_000,
    }
}

async fn claim(engine: &Engine, max: u32) -> Vec<Claimed> {
    engine.claim(wanted(max)).await.answered()
}

async fn fill(engine: &Engine, lane: &str, namespace: &str, count: usize) -> Vec<ExecutionId> {
    let one = Create {
        lane: lane.to_owned(),
        namespace: namespace.to_owned(),
        ..create("x")
    };
    let answers = engine.create_batch(vec![one; count]).await;
    answers
        .into_iter()
        .map(|answer| answer.accepted().id())
        .collect()
}

async fn set(engine: &Engine, lane: &str, state: LaneState, weight: Option<u16>) {
    let answer = engine.set_lane(lane, Some(state), weight).await;
    answer.accepted();
}

/// Counts by lane and namespace.
fn counted(claimed: &[Claimed]) -> HashMap<(&str, &str), usize> {
    let mut counts = HashMap::new();
    for it in claimed {
        *counts.entry((&*it.lane, &*it.namespace)).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn each_state_of_a_lane_takes_and_serves_what_it_says() {
    let (database, engine) = setup().await;
    for (state, takes, serves) in [
        (LaneState::Active, true, true),
        (LaneState::Paused, true, false),
        (LaneState::Draining, false, true),
        (LaneState::Disabled, false, false),
    ] {
        let lane = state.as_str();
        let before = fill(&engine, lane, "default", 1).await;
        set(&engine, lane, state, None).await;
        let one = Create {
            lane: lane.to_owned(),
            ..create("x")
        };
        let created = engine.create(one).await.answered();
        assert_eq!(created.is_ok(), takes, "{lane}");
        if let Err(refused) = created {
            assert_eq!(refused.code(), "lane_disabled");
        }
        let claimed = claim(&engine, 10).await;
        assert!(claimed.iter().all(|it| it.lane == lane), "{lane}");
        let expected = if serves { 1 + usize::from(takes) } else { 0 };
        assert_eq!(claimed.len(), expected, "{lane}");
        // Named or not, a lane that does not serve does not.
        let by_name = Claim {
            namespaces: None,
            lanes: vec![lane.to_owned()],
            ..wanted(10)
        };
        assert!(engine.claim(by_name).await.answered().is_empty());
        if !serves {
            let info = engine.get(before[0], None).await.answered();
            let state = info.expect("known").public_state;
            assert_eq!(state, PublicState::Waiting, "{lane} keeps what it has");
        }
    }
    set(&engine, "paused", LaneState::Active, None).await;
    set(&engine, "disabled", LaneState::Active, None).await;
    assert_eq!(claim(&engine, 10).await.len(), 3, "and serves it later");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_lane_dispatches_nothing_to_an_idle_worker() {
    let (_database, engine) = setup().await;
    let (worker, taken) = idle_worker(&engine, 8);
    worker.open(wanted(8));
    let state_of = async |id| {
        let info = engine.get(id, None).await.answered();
        info.expect("known").public_state
    };
    let first = fill(&engine, "side", "default", 1).await[0];
    assert_eq!(state_of(first).await, PublicState::Active, "dispatched");
    set(&engine, "side", LaneState::Paused, None).await;
    let second = fill(&engine, "side", "default", 1).await[0];
    assert_eq!(state_of(second).await, PublicState::Waiting);
    set(&engine, "side", LaneState::Active, None).await;
    let third = fill(&engine, "side", "default", 1).await[0];
    assert_eq!(state_of(third).await, PublicState::Active);
    let taken = taken.lock().expect("not poisoned");
    let taken: Vec<_> = taken.iter().map(|(it, _)| it.fence.execution_id).collect();
    assert_eq!(taken, [first, third]);
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_lanes_share_each_claim_by_weight_and_idle_ones_leave_theirs() {
    let (database, engine) = setup().await;
    set(&engine, "heavy", LaneState::Active, Some(300)).await;
    set(&engine, "light", LaneState::Active, Some(100)).await;
    set(&engine, "idle", LaneState::Active, Some(1000)).await;
    fill(&engine, "heavy", "default", 300).await;
    fill(&engine, "light", "default", 300).await;
    let mut heavy = 0;
    for _ in 0..5 {
        let claimed = claim(&engine, 64).await;
        let counts = counted(&claimed);
        let of_heavy = counts[&("heavy", "default")];
        assert!((46..=50).contains(&of_heavy), "{counts:?}");
        assert_eq!(claimed.len(), 64);
        heavy += of_heavy;
    }
    assert!((238..=242).contains(&heavy), "{heavy}");
    // One claim empties `heavy`, and what it cannot use goes to `light`.
    let claimed = claim(&engine, 200).await;
    let counts = counted(&claimed);
    assert_eq!(counts[&("heavy", "default")], 300 - heavy, "{counts:?}");
    assert_eq!(claimed.len(), 200);
    assert_eq!(claim(&engine, 500).await.len(), 600 - 320 - 200);
    // What is not set stays.
    set(&engine, "heavy", LaneState::Paused, None).await;
    let answer = engine.set_lane("light", None, Some(7)).await;
    answer.accepted();
    let lanes = engine.lanes(None, None, 1000).await.answered();
    let lane = |name| {
        let lane = lanes.iter().find(|lane| lane.name == name).expect("there");
        (lane.state, lane.weight)
    };
    assert_eq!(lane("heavy"), (LaneState::Paused, 300));
    assert_eq!(lane("light"), (LaneState::Active, 7));
    for weight in [0, 1001] {
        let refused = engine.set_lane("heavy", None, Some(weight)).await;
        assert_eq!(refused.refused().field, "weight");
        let refused = engine.set_namespace("a", weight).await;
        assert_eq!(refused.refused().field, "weight");
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_namespace_is_not_delayed_by_a_busy_one() {
    let (database, engine) = setup().await;
    let urgent = Create {
        namespace: "noisy".to_owned(),
        priority: 9000,
        ..create("x")
    };
    for answer in engine.create_batch(vec![urgent; 2000]).await {
        answer.accepted();
    }
    for _ in 0..5 {
        assert_eq!(claim(&engine, 4).await.len(), 4);
    }
    let quiet = fill(&engine, "default", "quiet", 1).await[0];
    let mut before = 0;
    eventually("the quiet namespace is served", async || {
        let claimed = claim(&engine, 4).await;
        let found = claimed.iter().any(|it| it.fence.execution_id == quiet);
        before += claimed.len();
        found.then_some(())
    })
    .await;
    assert!(before < 1000, "{before} of a backlog of 2000 came first");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_share_a_lane_by_weight_and_keep_their_own_order() {
    let (database, engine) = setup().await;
    let answer = engine.set_namespace("gold", 300).await;
    answer.accepted();
    fill(&engine, "default", "gold", 300).await;
    fill(&engine, "default", "plain", 300).await;
    let first = Create {
        namespace: "plain".to_owned(),
        priority: 10,
        ..create("first")
    };
    let first = engine.create(first).await.accepted();
    let mut claimed = Vec::new();
    for max in [1, 2, 3, 10, 64, 100, 20] {
        claimed.extend(claim(&engine, max).await);
    }
    let counts = counted(&claimed);
    let gold = counts[&("default", "gold")];
    assert!((147..=153).contains(&gold), "{counts:?}");
    let plain = claimed.iter().find(|it| it.namespace == "plain");
    assert_eq!(plain.expect("served").fence.execution_id, first.id());
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_namespace_starves_among_many() {
    let (database, engine) = setup().await;
    for number in 0..80 {
        fill(&engine, "default", &format!("n{number:02}"), 40).await;
    }
    let mut served: HashMap<String, usize> = HashMap::new();
    for _ in 0..80 {
        for claimed in claim(&engine, 20).await {
            *served.entry(claimed.namespace).or_default() += 1;
        }
    }
    assert_eq!(served.values().sum::<usize>(), 1600);
    assert_eq!(served.len(), 80, "{served:?}");
    assert!(served.values().all(|count| *count >= 10), "{served:?}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_collects_from_many_namespaces_that_have_one_execution_each() {
    let (_database, engine) = setup().await;
    for number in 0..30 {
        fill(&engine, "default", &format!("n{number:02}"), 1 + number % 3).await;
    }
    assert_eq!(claim(&engine, 500).await.len(), 60);
    assert!(claim(&engine, 500).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_are_listed_in_pages_by_name() {
    let (_database, engine) = setup().await;
    for name in ["c", "a", "b"] {
        set(&engine, name, LaneState::Active, None).await;
    }
    let mut names = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = engine.lanes(None, after.as_deref(), 3).await.answered();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.name.clone());
        names.extend(page.into_iter().map(|lane| lane.name));
    }
    assert_eq!(names, ["a", "b", "c", "default"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_in_a_paused_lane_are_shown_as_blocked_by_it() {
    let (_database, engine) = setup().await;
    let ready = engine.create(create("x")).await;
    let ready = ready.accepted().id();
    let mut later = create("y");
    later.delay_ms = Some(60_000);
    let later = engine.create(later).await;
    let later = later.accepted().id();
    for (state, served) in [
        (LaneState::Active, true),
        (LaneState::Paused, false),
        (LaneState::Draining, true),
        (LaneState::Disabled, false),
    ] {
        set(&engine, "default", state, None).await;
        let listed = engine.list(Default::default(), Default::default()).await;
        let listed = listed.answered();
        let read = engine.get(ready, None).await.answered().expect("known");
        assert!(listed.contains(&read), "a list says the same");
        let vector = read.state_vector;
        let expected = match served {
            true => (
                EligibilityState::EligibleNow,
                BlockingReason::WaitingForWorker,
            ),
            false => (
                EligibilityState::BlockedByLaneState,
                BlockingReason::PausedByPolicy,
            ),
        };
        assert_eq!(
            (vector.eligibility_state, vector.blocking_reason),
            expected,
            "{state:?}"
        );
        assert_eq!(read.blocking_reason, vector.blocking_reason);
        assert_eq!(read.public_state, PublicState::Waiting);
        let detail = format!("lane `default` is {}", state.as_str());
        assert_eq!(read.blocking_detail, (!served).then_some(detail));
        let delayed = engine.get(later, None).await.answered();
        assert_eq!(
            delayed.expect("known").state_vector.eligibility_state,
            EligibilityState::NotEligibleUntilTime,
            "its time comes first"
        );
    }
}
