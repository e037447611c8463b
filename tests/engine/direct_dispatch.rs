//! Direct dispatch: which executions an idle worker is given without a claim, and which
//! go into the queue.

use engine::{Claim, Create, Created, Engine, LaneState, SendSignal, Suspend};
use model::{
    EventFamily, EventKind, ExecutionId, PublicState, ResumePolicy, SuspensionCloseReason,
};
use testkit::Answered;

use crate::support::idle_worker::{idle_worker, wanted};
use crate::support::lists::events;
use crate::support::waiting::{
    deliver, signal, single, sources, suspend, suspended, suspended_execution,
};
use crate::support::work::{claim, claim_one, complete, create, operate, setup, text};

async fn state_of(engine: &Engine, create: Create) -> PublicState {
    match engine.create(create).await.accepted() {
        Created::Created { state, .. } => state,
        Created::Duplicate { id } => panic!("{id} was not expected to be a duplicate"),
    }
}

/// What the log tells of an execution.
async fn told(engine: &Engine, id: ExecutionId) -> Vec<EventKind> {
    let mut told = Vec::new();
    for family in EventFamily::ALL {
        let mut request = events::of(*family);
        request.filter.execution_id = Some(id);
        told.extend(events::all(engine, &request).await);
    }
    told.sort_by_key(|event| event.logged.place);
    told.dedup_by_key(|event| event.logged.place);
    told.iter().map(events::kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_is_given_a_new_execution_without_a_claim() {
    let (database, engine) = setup().await;
    let (worker, taken) = idle_worker(&engine, 1);
    assert_eq!(
        state_of(&engine, create("too early")).await,
        PublicState::Waiting,
        "it takes nothing before it says so"
    );
    assert_eq!(claim_one(&engine).await.input, text("too early"));

    worker.open(wanted());
    let mut request = create("dispatched");
    request.tags.insert("app.a".to_owned(), "1".to_owned());
    assert_eq!(state_of(&engine, request).await, PublicState::Active);
    assert_eq!(
        state_of(&engine, create("no slot is free")).await,
        PublicState::Waiting
    );
    let (dispatched, slot) = taken
        .lock()
        .expect("not poisoned")
        .pop()
        .expect("dispatched");
    assert_eq!(dispatched.input, text("dispatched"));
    assert_eq!(dispatched.tags, [("app.a".to_owned(), "1".to_owned())]);
    assert_eq!((dispatched.fence.epoch, dispatched.fence.attempt), (1, 0));
    let renewed = engine.renew(&[dispatched.fence], 30_000).await.answered();
    assert!(renewed[0].is_ok(), "the lease is held");
    let answer = engine.complete(complete(dispatched.fence, "done")).await;
    answer.accepted();
    database.events_are_readable().await;
    assert_eq!(
        told(&engine, dispatched.fence.execution_id).await,
        [
            EventKind::Created,
            EventKind::Tagged,
            EventKind::Acquired,
            EventKind::Renewed,
            EventKind::Success
        ]
    );
    drop(slot);
    drop(worker);
    assert_eq!(
        state_of(&engine, create("no worker is idle")).await,
        PublicState::Waiting
    );
    assert_eq!(claim(&engine, 10).await.len(), 2);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_creation_that_a_claim_would_take_is_dispatched_directly() {
    let (database, engine) = setup().await;
    let (worker, taken) = idle_worker(&engine, 10);
    worker.open(wanted());
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
    paused.accepted();
    assert_eq!(
        state_of(&engine, create("paused")).await,
        PublicState::Waiting
    );
    assert!(taken.lock().expect("not poisoned").is_empty());

    let active = engine
        .set_lane("default", Some(LaneState::Active), None)
        .await;
    active.accepted();
    let keyed = || Create {
        idempotency_key: Some("once".to_owned()),
        ..create("x")
    };
    let answers = engine
        .create_batch((0..50).map(|_| keyed()).collect())
        .await;
    for answer in answers {
        answer.accepted();
    }
    let taken = taken.lock().expect("not poisoned").len();
    assert_eq!(taken, 1, "one execution is dispatched once");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_satisfied_suspension_is_dispatched_to_an_idle_worker() {
    let (database, engine) = setup().await;
    let (worker, taken) = idle_worker(&engine, 1);
    let (before, waitpoint) = suspended_execution(&engine, sources("approval", 2)).await;
    let (_, other) = suspended_execution(&engine, single("approval", "go")).await;
    worker.open(wanted());
    let approval = |source: &str| SendSignal {
        source_identity: source.to_owned(),
        ..signal(&waitpoint.token, "approved")
    };
    deliver(&engine, approval("first")).await;
    assert!(taken.lock().expect("not poisoned").is_empty());
    deliver(&engine, approval("second")).await;
    let (dispatched, slot) = taken
        .lock()
        .expect("not poisoned")
        .pop()
        .expect("dispatched");
    assert_eq!(dispatched.fence.execution_id, before.fence.execution_id);
    assert_eq!((dispatched.fence.epoch, dispatched.fence.attempt), (2, 0));
    assert!(dispatched.resumes);
    assert_eq!(dispatched.attempt_type, before.attempt_type);
    assert_eq!(dispatched.input, before.input);
    let resumption = dispatched.resumption.expect("it was suspended");
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
    assert_ne!(queued.fence.execution_id, dispatched.fence.execution_id);
    for fence in [dispatched.fence, queued.fence] {
        let answer = engine.complete(complete(fence, "done")).await;
        answer.accepted();
    }
    database.events_are_readable().await;
    assert_eq!(
        told(&engine, dispatched.fence.execution_id).await,
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
async fn only_a_resumption_that_a_claim_would_take_is_dispatched_directly() {
    let (database, engine) = setup().await;
    let (worker, taken) = idle_worker(&engine, 10);
    let waiting = async |create: Create, policy: ResumePolicy| {
        let answer = engine.create(create).await;
        answer.accepted();
        let mut claims = Claim {
            namespaces: None,
            lanes: Vec::new(),
            kinds: None,
            max: 1,
            ..wanted()
        };
        claims.capabilities.insert("gpu".to_owned());
        let claimed = engine.claim(claims).await.answered().remove(0);
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
    set.await.accepted();
    worker.open(Claim {
        namespaces: None,
        lanes: Vec::new(),
        ..wanted()
    });
    for ((id, token), wanted) in all {
        deliver(&engine, signal(&token, "go")).await;
        let info = engine.get(id, None).await.answered().expect("there");
        assert_eq!(info.public_state, wanted);
    }
    assert!(taken.lock().expect("not poisoned").is_empty());
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_resume_dispatches_to_an_idle_worker() {
    let (database, engine) = setup().await;
    let (worker, taken) = idle_worker(&engine, 1);
    let (before, _) = suspended_execution(&engine, single("go", "go")).await;
    worker.open(wanted());
    let operate = operate(before.fence.execution_id);
    let answer = engine.resume(operate, None).await;
    answer.accepted();
    let (dispatched, _slot) = taken
        .lock()
        .expect("not poisoned")
        .pop()
        .expect("dispatched");
    let resumption = dispatched.resumption.expect("it was suspended");
    assert_eq!(resumption.reason, SuspensionCloseReason::OperatorResume);
    assert!(resumption.signals.is_empty());
    let renewed = engine.renew(&[dispatched.fence], 30_000).await.answered();
    assert!(renewed[0].is_ok(), "the lease is held");
    database.assert_invariants().await;
}
