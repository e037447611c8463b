//! Every state × every verb of the engine: what the database does is what the
//! table in `model` says.

use std::time::Duration;

use engine::{Cancel, Complete, Create, Delay, Engine, Payload};
use model::{ExecutionId, FailureClass, Fence, LeaseId, PublicState, Rule, StateKind, Verb, rule};
use testkit::{Database, database};

use crate::work::{self, claim};

/// States the engine can bring an execution into, and verbs it offers.
const STATES: [StateKind; 4] = [
    StateKind::Waiting,
    StateKind::Delayed,
    StateKind::Active,
    StateKind::Terminal,
];
const VERBS: [Verb; 9] = [
    Verb::Claim,
    Verb::Renew,
    Verb::Progress,
    Verb::Complete,
    Verb::Fail,
    Verb::Delay,
    Verb::Promote,
    Verb::Cancel,
    Verb::Reclaim,
];

/// Brings a new execution into a state and returns it with the fence a worker
/// would carry.
async fn arrange(engine: &Engine, state: StateKind) -> Fence {
    let mut create = Create::new("echo", Payload::new("text/plain", "x"));
    if state == StateKind::Delayed {
        create.delay_ms = Some(60_000);
    }
    let id = engine
        .create(create)
        .await
        .expect("asked")
        .expect("created")
        .id();
    let unheld = Fence {
        execution_id: id,
        lease_id: LeaseId(uuid::Uuid::nil()),
        epoch: 1,
        attempt: 0,
    };
    match state {
        StateKind::Waiting | StateKind::Delayed => unheld,
        StateKind::Active => claim(engine, 1).await.remove(0).fence,
        StateKind::Terminal => {
            let fence = claim(engine, 1).await.remove(0).fence;
            fail(engine, fence, FailureClass::Permanent)
                .await
                .expect("ended");
            fence
        }
        other => unreachable!("{other} is not arranged"),
    }
}

async fn fail(engine: &Engine, fence: Fence, class: FailureClass) -> Result<(), String> {
    let answer = engine.fail(work::fail(fence, class)).await.expect("asked");
    answer
        .map(|_| ())
        .map_err(|refused| refused.code().to_owned())
}

/// Applies a verb and returns the code of its refusal, if any. Sweeps and claims
/// refuse by leaving the execution alone.
async fn apply(
    database: &Database,
    engine: &Engine,
    verb: Verb,
    fence: Fence,
) -> Result<(), String> {
    let before = state(engine, fence.execution_id).await;
    let moved = |after: StateKind, code: &str| {
        if before == after {
            Err(code.to_owned())
        } else {
            Ok(())
        }
    };
    match verb {
        Verb::Claim => {
            claim(engine, 1).await;
            moved(
                state(engine, fence.execution_id).await,
                "execution_not_eligible",
            )
        }
        Verb::Promote => {
            database.advance(Duration::from_secs(61)).await;
            engine.reconcile().await.expect("swept");
            let after = state(engine, fence.execution_id).await;
            // The same passing of time makes a lease lapse, which is another verb.
            if before == StateKind::Active {
                return Err("execution_not_eligible".to_owned());
            }
            moved(after, "execution_not_eligible")
        }
        Verb::Reclaim => {
            database.advance(Duration::from_secs(31)).await;
            engine.reconcile().await.expect("swept");
            moved(state(engine, fence.execution_id).await, "no_active_lease")
        }
        Verb::Renew => {
            let answer = engine
                .renew(&[fence], 30_000)
                .await
                .expect("asked")
                .remove(0);
            answer
                .map(|_| ())
                .map_err(|refused| refused.code().to_owned())
        }
        Verb::Progress => {
            let answer = engine.progress(fence, Some(50), None).await.expect("asked");
            answer.map_err(|refused| refused.code().to_owned())
        }
        Verb::Complete => {
            let complete = Complete {
                fence,
                result: Payload::new("text/plain", "done"),
                report: Default::default(),
            };
            let answer = engine.complete(complete).await.expect("asked");
            answer.map_err(|refused| refused.code().to_owned())
        }
        // Another failure than the one that ended it, which would be a repeat.
        Verb::Fail if before == StateKind::Terminal => {
            let stranger = Fence {
                lease_id: LeaseId(uuid::Uuid::nil()),
                ..fence
            };
            fail(engine, stranger, FailureClass::Transient).await
        }
        Verb::Fail => fail(engine, fence, FailureClass::Transient).await,
        Verb::Delay => {
            let delay = Delay {
                fence,
                delay_ms: 1000,
                report: Default::default(),
            };
            let answer = engine.delay(delay).await.expect("asked");
            answer
                .map(|_| ())
                .map_err(|refused| refused.code().to_owned())
        }
        Verb::Cancel => {
            let cancel = Cancel {
                id: fence.execution_id,
                namespace: None,
                reason: None,
                source: "operator".to_owned(),
            };
            let answer = engine.cancel(cancel).await.expect("asked");
            answer
                .map(|_| ())
                .map_err(|refused| refused.code().to_owned())
        }
        other => unreachable!("{other} is not applied"),
    }
}

async fn state(engine: &Engine, id: ExecutionId) -> StateKind {
    let info = engine.get(id, None).await.expect("asked").expect("known");
    match info.public_state {
        PublicState::Waiting => StateKind::Waiting,
        PublicState::Delayed => StateKind::Delayed,
        PublicState::Active => StateKind::Active,
        other if other.is_terminal() => StateKind::Terminal,
        other => unreachable!("{other} is not reached"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_does_what_the_table_says() {
    let mut wrong = Vec::new();
    for from in STATES {
        for verb in VERBS {
            let database = database().await;
            let engine = database.engine().await;
            let fence = arrange(&engine, from).await;
            let answer = apply(&database, &engine, verb, fence).await;
            let to = state(&engine, fence.execution_id).await;
            let agrees = match (rule(from, verb), &answer) {
                (Rule::To(states), Ok(())) => states.contains(&to),
                // Time that passes for one sweep passes for the others as well.
                (Rule::Refused(code), Err(given)) => {
                    code == given && (to == from || verb == Verb::Promote)
                }
                (Rule::To(_), Err(_)) | (Rule::Refused(_), Ok(())) => false,
            };
            if !agrees {
                wrong.push(format!(
                    "{from} × {verb}: {answer:?} → {to}, not {:?}",
                    rule(from, verb)
                ));
            }
            database.assert_invariants().await;
            engine.close().await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
