//! Every state × every verb of the engine: what the database does is what the
//! table in `model` says.

use std::time::Duration;

use engine::{Block, Cancel, Complete, Create, Delay, Engine, Payload, Revoke};
use model::{
    BlockingReason, ExecutionId, FailureClass, Fence, LeaseId, OperateRefusal, PublicState, Rule,
    StateKind, Verb, rule,
};
use sqlx::Executor as _;
use testkit::{Database, database};

use crate::work::{self, claim, operate};

/// Verbs the engine does not offer yet.
const LATER: [Verb; 3] = [Verb::Suspend, Verb::Signal, Verb::Resume];

/// Brings a new execution into a state and returns it with the fence a worker
/// would carry.
async fn arrange(database: &Database, engine: &Engine, state: StateKind) -> Fence {
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
        StateKind::RateLimited => {
            block(engine, id, BlockingReason::WaitingForQuota).await;
            unheld
        }
        StateKind::Blocked => {
            block(engine, id, BlockingReason::PausedByOperator).await;
            unheld
        }
        StateKind::WaitingChildren => {
            let fence = claim(engine, 1).await.remove(0).fence;
            let answer = engine.wait_children(fence, Default::default()).await;
            answer.expect("asked").expect("put down");
            fence
        }
        // As the verb will leave it.
        StateKind::Suspended => {
            let fence = claim(engine, 1).await.remove(0).fence;
            let answer = engine.wait_children(fence, Default::default()).await;
            answer.expect("asked").expect("put down");
            let mut connection = database.connection().await;
            connection
                .execute("UPDATE parked SET state = 'suspended', reason = 'waiting_for_signal'")
                .await
                .expect("suspended");
            fence
        }
        StateKind::Active => claim(engine, 1).await.remove(0).fence,
        StateKind::Terminal => {
            let fence = claim(engine, 1).await.remove(0).fence;
            fail(engine, fence, FailureClass::Permanent)
                .await
                .expect("ended");
            fence
        }
    }
}

async fn block(engine: &Engine, id: ExecutionId, reason: BlockingReason) {
    let block = Block {
        operate: operate(id),
        reason,
        detail: None,
    };
    engine.block(block).await.expect("asked").expect("blocked");
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
                source: Default::default(),
                actor: None,
            };
            let answer = engine.cancel(cancel).await.expect("asked");
            answer
                .map(|_| ())
                .map_err(|refused| refused.code().to_owned())
        }
        Verb::WaitChildren => {
            // By a stranger where its holder's would be a repeat.
            let fence = match before {
                StateKind::WaitingChildren | StateKind::Suspended => Fence {
                    lease_id: LeaseId(uuid::Uuid::nil()),
                    ..fence
                },
                _ => fence,
            };
            let answer = engine.wait_children(fence, Default::default()).await;
            answer
                .expect("asked")
                .map_err(|refused| refused.code().to_owned())
        }
        Verb::Expire => code(engine.expire(operate(fence.execution_id)).await),
        Verb::Revoke => {
            let revoke = Revoke {
                operate: operate(fence.execution_id),
                expected_lease_id: None,
            };
            code(engine.revoke(revoke).await)
        }
        Verb::Replay => code(engine.replay(operate(fence.execution_id)).await),
        Verb::Prioritise => code(engine.prioritise(operate(fence.execution_id), 7).await),
        // For another reason than it is blocked for, which would be a repeat.
        Verb::Block => {
            let block = Block {
                operate: operate(fence.execution_id),
                reason: BlockingReason::PausedByPolicy,
                detail: None,
            };
            code(engine.block(block).await)
        }
        Verb::Unblock => code(engine.unblock(operate(fence.execution_id), None).await),
        Verb::Suspend | Verb::Signal | Verb::Resume => unreachable!("{verb} is not offered"),
    }
}

fn code<T>(answer: engine::Answer<T, OperateRefusal>) -> Result<(), String> {
    match answer.expect("asked") {
        Ok(_) => Ok(()),
        Err(refused) => Err(refused.code().to_owned()),
    }
}

async fn state(engine: &Engine, id: ExecutionId) -> StateKind {
    let info = engine.get(id, None).await.expect("asked").expect("known");
    match info.public_state {
        // The word for both; what it waits for tells them apart.
        PublicState::Waiting if info.blocking_reason != BlockingReason::WaitingForWorker => {
            StateKind::Blocked
        }
        PublicState::Waiting => StateKind::Waiting,
        PublicState::Delayed => StateKind::Delayed,
        PublicState::RateLimited => StateKind::RateLimited,
        PublicState::WaitingChildren => StateKind::WaitingChildren,
        PublicState::Active => StateKind::Active,
        PublicState::Suspended => StateKind::Suspended,
        other if other.is_terminal() => StateKind::Terminal,
        other => unreachable!("{other} is not reached"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_does_what_the_table_says() {
    let mut wrong = Vec::new();
    for &from in StateKind::ALL {
        for &verb in Verb::ALL.iter().filter(|verb| !LATER.contains(verb)) {
            let database = database().await;
            let engine = database.engine().await;
            let fence = arrange(&database, &engine, from).await;
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
