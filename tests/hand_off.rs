//! Hand-off: what a worker that stands by gets without a claim, and what goes
//! into the queue.

use std::sync::{Arc, Mutex};

use engine::{Claim, Claimed, Create, Created, Engine, LaneState, Standby};
use model::{EventKind, PublicState};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::work::{claim, claim_one, complete, create, setup, text};

type Taken = Arc<Mutex<Vec<(Claimed, OwnedSemaphorePermit)>>>;

fn stand_by(engine: &Engine, slots: usize) -> (Standby, Taken) {
    let taken = Taken::default();
    let begin = {
        let taken = Arc::clone(&taken);
        move |claimed, _sent, slot| taken.lock().expect("not poisoned").push((claimed, slot))
    };
    let standby = engine.stand_by(Arc::new(Semaphore::new(slots)), Box::new(begin));
    (standby, taken)
}

fn wanted() -> Claim {
    Claim {
        worker_instance_id: "standing by".to_owned(),
        lanes: vec!["default".to_owned()],
        kinds: Some(vec!["echo".to_owned()]),
        capabilities: Default::default(),
        max: 0,
        lease_ttl_ms: 30_000,
    }
}

async fn state_of(engine: &Engine, create: Create) -> PublicState {
    match engine
        .create(create)
        .await
        .expect("asked")
        .expect("created")
    {
        Created::Created { state, .. } => state,
        Created::Duplicate { id } => panic!("{id} is no duplicate"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stands_by_gets_what_is_created_without_a_claim() {
    let (database, engine) = setup().await;
    let (standby, taken) = stand_by(&engine, 1);
    assert_eq!(
        state_of(&engine, create("too early")).await,
        PublicState::Waiting,
        "it takes nothing before it says so"
    );
    assert_eq!(claim_one(&engine).await.input, text("too early"));

    standby.open(wanted());
    let mut request = create("handed");
    request.tags.insert("app.a".to_owned(), "1".to_owned());
    assert_eq!(state_of(&engine, request).await, PublicState::Active);
    assert_eq!(
        state_of(&engine, create("no slot is free")).await,
        PublicState::Waiting
    );
    let (handed, slot) = taken.lock().expect("not poisoned").pop().expect("handed");
    assert_eq!(handed.input, text("handed"));
    assert_eq!(handed.tags, [("app.a".to_owned(), "1".to_owned())]);
    assert_eq!((handed.fence.epoch, handed.fence.attempt), (1, 0));
    let renewed = engine.renew(&[handed.fence], 30_000).await.expect("asked");
    assert!(renewed[0].is_ok(), "the lease is held");
    let answer = engine.complete(complete(handed.fence, "done")).await;
    answer.expect("asked").expect("completed");
    database.events_are_readable().await;
    let told: Vec<_> = engine
        .events(None, 100)
        .await
        .expect("asked")
        .expect("read")
        .into_iter()
        .filter(|event| event.execution_id == handed.fence.execution_id)
        .map(|event| event.kind)
        .collect();
    assert_eq!(
        told,
        [
            EventKind::Created,
            EventKind::Acquired,
            EventKind::Renewed,
            EventKind::Success
        ]
    );
    drop(slot);
    drop(standby);
    assert_eq!(
        state_of(&engine, create("nobody stands by")).await,
        PublicState::Waiting
    );
    assert_eq!(claim(&engine, 10).await.len(), 2);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_claim_would_take_is_handed_over() {
    let (database, engine) = setup().await;
    let (standby, taken) = stand_by(&engine, 10);
    standby.open(wanted());
    let mut demanding = create("needs a capability");
    let required = &mut demanding.policy.routing_requirements.required_capabilities;
    required.insert("gpu".to_owned());
    let lane = |name: &str| Create {
        lane: name.to_owned(),
        ..create("another lane")
    };
    for (request, wanted) in [
        (demanding, PublicState::Waiting),
        (Create::new("other", text("x")), PublicState::Waiting),
        (lane("other"), PublicState::Waiting),
        (
            Create {
                delay_ms: Some(60_000),
                ..create("later")
            },
            PublicState::Delayed,
        ),
    ] {
        let what = request.input.clone();
        assert_eq!(state_of(&engine, request).await, wanted, "{what:?}");
    }
    let paused = engine
        .set_lane("default", Some(LaneState::Paused), None)
        .await;
    paused.expect("asked").expect("paused");
    assert_eq!(
        state_of(&engine, create("paused")).await,
        PublicState::Waiting
    );
    assert!(taken.lock().expect("not poisoned").is_empty());

    let active = engine
        .set_lane("default", Some(LaneState::Active), None)
        .await;
    active.expect("asked").expect("active");
    let keyed = || Create {
        idempotency_key: Some("once".to_owned()),
        ..create("x")
    };
    let answers = engine
        .create_batch((0..50).map(|_| keyed()).collect())
        .await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Ok(_)))));
    let taken = taken.lock().expect("not poisoned").len();
    assert_eq!(taken, 1, "one execution is handed over once");
    database.assert_invariants().await;
}
