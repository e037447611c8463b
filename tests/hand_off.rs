//! Hand-off: what a worker that stands by gets without a claim, and what goes
//! into the queue.

use std::sync::{Arc, Mutex};

use engine::{Claim, Claimed, Create, Created, Deliver, Engine, LaneState, Standby, Suspend};
use model::{EventKind, ExecutionId, PublicState, ResumePolicy, SuspensionCloseReason};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::waiting::{deliver, put_down, signal, single, sources, suspend, suspended};
use crate::work::{claim, claim_one, complete, create, operate, setup, text};

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

/// What the log tells of an execution.
async fn told(engine: &Engine, id: ExecutionId) -> Vec<EventKind> {
    let events = engine.events(None, 100).await.expect("asked");
    let events = events.expect("read").into_iter();
    events
        .filter(|event| event.execution_id == id)
        .map(|event| event.kind)
        .collect()
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
    assert_eq!(
        told(&engine, handed.fence.execution_id).await,
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

#[tokio::test(flavor = "multi_thread")]
async fn what_a_signal_satisfies_goes_on_without_a_claim() {
    let (database, engine) = setup().await;
    let (standby, taken) = stand_by(&engine, 1);
    let (before, waitpoint) = put_down(&engine, sources("approval", 2)).await;
    let (_, other) = put_down(&engine, single("approval", "go")).await;
    standby.open(wanted());
    let approval = |source: &str| Deliver {
        source_identity: source.to_owned(),
        ..signal(&waitpoint.token, "approved")
    };
    deliver(&engine, approval("first")).await;
    assert!(taken.lock().expect("not poisoned").is_empty());
    deliver(&engine, approval("second")).await;
    let (handed, slot) = taken.lock().expect("not poisoned").pop().expect("handed");
    assert_eq!(handed.fence.execution_id, before.fence.execution_id);
    assert_eq!((handed.fence.epoch, handed.fence.attempt), (2, 0));
    assert!(handed.resumes);
    assert_eq!(handed.attempt_type, before.attempt_type);
    assert_eq!(handed.input, before.input);
    let resumption = handed.resumption.expect("it was suspended");
    assert_eq!(resumption.reason, SuspensionCloseReason::Satisfied);
    assert_eq!(resumption.state, Some(text("saved")));
    let sources: Vec<_> = resumption
        .signals
        .iter()
        .map(|signal| signal.source_identity.as_str())
        .collect();
    assert_eq!(sources, ["first", "second"]);

    deliver(&engine, signal(&other.token, "go")).await;
    let queued = claim_one(&engine).await;
    assert_ne!(queued.fence.execution_id, handed.fence.execution_id);
    for fence in [handed.fence, queued.fence] {
        let answer = engine.complete(complete(fence, "done")).await;
        answer.expect("asked").expect("completed");
    }
    database.events_are_readable().await;
    assert_eq!(
        told(&engine, handed.fence.execution_id).await,
        [
            EventKind::Created,
            EventKind::Acquired,
            EventKind::Suspended,
            EventKind::Signalled,
            EventKind::Signalled,
            EventKind::Resumed,
            EventKind::Acquired,
            EventKind::Success
        ]
    );
    drop(slot);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_claim_would_take_goes_on_without_one() {
    let (database, engine) = setup().await;
    let (standby, taken) = stand_by(&engine, 10);
    let waiting = async |create: Create, policy: ResumePolicy| {
        let answer = engine.create(create).await;
        answer.expect("asked").expect("created");
        let mut claims = Claim {
            lanes: Vec::new(),
            kinds: None,
            max: 1,
            ..wanted()
        };
        claims.capabilities.insert("gpu".to_owned());
        let claimed = engine.claim(claims).await.expect("asked").remove(0);
        let request = Suspend {
            resume_policy: policy,
            ..suspend(claimed.fence, single("go", "go"))
        };
        let waitpoint = suspended(&engine, request).await.waitpoints.remove(0);
        (claimed.fence.execution_id, waitpoint.token)
    };
    let mut demanding = create("needs a capability");
    let required = &mut demanding.policy.routing_requirements.required_capabilities;
    required.insert("gpu".to_owned());
    let paused = || Create {
        lane: "paused".to_owned(),
        ..create("in a lane that is paused by then")
    };
    let later = ResumePolicy {
        resume_delay_ms: Some(60_000),
        ..ResumePolicy::default()
    };
    let at_once = ResumePolicy::default();
    let all = [
        (waiting(demanding, at_once).await, PublicState::Waiting),
        (
            waiting(Create::new("other", text("x")), at_once).await,
            PublicState::Waiting,
        ),
        (waiting(paused(), at_once).await, PublicState::Waiting),
        (waiting(create("later"), later).await, PublicState::Delayed),
    ];
    let set = engine.set_lane("paused", Some(LaneState::Paused), None);
    set.await.expect("asked").expect("set");
    standby.open(Claim {
        lanes: Vec::new(),
        ..wanted()
    });
    for ((id, token), wanted) in all {
        deliver(&engine, signal(&token, "go")).await;
        let info = engine.get(id, None).await.expect("asked").expect("there");
        assert_eq!(info.public_state, wanted);
    }
    assert!(taken.lock().expect("not poisoned").is_empty());
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_resumes_onto_a_worker_that_stands_by() {
    let (database, engine) = setup().await;
    let (standby, taken) = stand_by(&engine, 1);
    let (before, _) = put_down(&engine, single("go", "go")).await;
    standby.open(wanted());
    let operate = operate(before.fence.execution_id);
    let answer = engine.resume(operate, None).await;
    answer.expect("asked").expect("resumed");
    let (handed, _slot) = taken.lock().expect("not poisoned").pop().expect("handed");
    let resumption = handed.resumption.expect("it was suspended");
    assert_eq!(resumption.reason, SuspensionCloseReason::OperatorResume);
    assert!(resumption.signals.is_empty());
    let renewed = engine.renew(&[handed.fence], 30_000).await.expect("asked");
    assert!(renewed[0].is_ok(), "the lease is held");
    database.assert_invariants().await;
}
