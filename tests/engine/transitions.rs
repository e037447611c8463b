//! Every state × every verb of the engine: what the database does is what the
//! table in `model` says.

use std::time::Duration;

use engine::{
    Block, Cancel, Complete, Create, Delay, Engine, OpenWaitpoint, Payload, Revoke, WaitFor,
};
use model::{
    BlockingReason, ExecutionId, FailureClass, Fence, INITIAL_STATES, LeaseId, OperateRefusal,
    PublicState, Rule, StateKind, Verb, rule,
};
use testkit::{Answered, Database, database};

use crate::support::flows;
use crate::support::idle_worker::{idle_worker, wanted};
use crate::support::waiting::{self, single};
use crate::support::work::{self, claim, operate};

/// An execution in a state.
struct Case {
    /// The fence that its holder would send.
    fence: Fence,
    /// Its waitpoint, which is pending unless the execution is suspended.
    waitpoint: OpenWaitpoint,
}

/// Brings a new execution, whose first holder made a waitpoint, into a state.
async fn arrange(engine: &Engine, state: StateKind) -> Case {
    let create = Create::new("echo", Payload::new("text/plain", "x"));
    let created = engine.create(create).await;
    let id = created.accepted().id();
    let mut fence = claim(engine, 1).await.remove(0).fence;
    let waitpoint = waiting::waitpoint(engine, fence, "door").await;
    match state {
        StateKind::Active => {}
        StateKind::Waiting | StateKind::RateLimited | StateKind::Blocked => {
            let answer = engine.release(fence, Default::default()).await;
            answer.accepted();
        }
        StateKind::Delayed => {
            let answer = engine.delay(delay(fence)).await;
            answer.accepted();
        }
        StateKind::WaitingChildren => {
            flows::park_for_child(engine, fence).await;
        }
        StateKind::Suspended => {
            waiting::suspended(engine, suspend(fence)).await;
        }
        StateKind::Terminal => {
            let answer = fail(engine, fence, FailureClass::Permanent).await;
            answer.expect("ended");
        }
    }
    match state {
        StateKind::RateLimited => block(engine, id, BlockingReason::WaitingForQuota).await,
        StateKind::Blocked => block(engine, id, BlockingReason::PausedByOperator).await,
        _ => {}
    }
    // Of a worker that never held it, where the verb of its holder would be a repeat.
    if matches!(
        state,
        StateKind::Waiting | StateKind::RateLimited | StateKind::Blocked | StateKind::Delayed
    ) {
        fence.lease_id = LeaseId(uuid::Uuid::nil());
    }
    Case { fence, waitpoint }
}

fn delay(fence: Fence) -> Delay {
    Delay {
        fence,
        due: engine::Due::InMs(60_000),
        report: Default::default(),
    }
}

fn cancel(id: ExecutionId) -> Cancel {
    Cancel {
        id,
        namespace: None,
        reason: None,
        source: Default::default(),
        actor: None,
    }
}

fn suspend(fence: Fence) -> engine::Suspend {
    waiting::suspend(fence, single("door", "open"))
}

async fn block(engine: &Engine, id: ExecutionId, reason: BlockingReason) {
    let block = Block {
        operate: operate(id),
        reason,
        detail: None,
    };
    engine.block(block).await.accepted();
}

async fn fail(engine: &Engine, fence: Fence, class: FailureClass) -> Result<(), String> {
    let answer = engine.fail(work::fail(fence, class)).await.answered();
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
    case: &Case,
) -> Result<(), String> {
    let fence = case.fence;
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
            // The same time expires a lease, which is another verb.
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
            let answer = engine.renew(&[fence], 30_000).await.answered().remove(0);
            answer
                .map(|_| ())
                .map_err(|refused| refused.code().to_owned())
        }
        Verb::Progress => {
            let answer = engine.progress(fence, Some(50), None).await.answered();
            answer.map_err(|refused| refused.code().to_owned())
        }
        Verb::Complete => {
            let complete = Complete {
                fence,
                result: Payload::new("text/plain", "done"),
                report: Default::default(),
            };
            let answer = engine.complete(complete).await.answered();
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
            let answer = engine.delay(delay(fence)).await.answered();
            answer
                .map(|_| ())
                .map_err(|refused| refused.code().to_owned())
        }
        Verb::Cancel => {
            let answer = engine.cancel(cancel(fence.execution_id)).await.answered();
            answer
                .map(|_| ())
                .map_err(|refused| refused.code().to_owned())
        }
        Verb::WaitChildren => {
            // By another worker, where the verb of its holder would be a repeat.
            let fence = match before {
                StateKind::WaitingChildren => Fence {
                    lease_id: LeaseId(uuid::Uuid::nil()),
                    ..fence
                },
                _ => fence,
            };
            let answer = engine
                .wait_children(fence, Default::default(), &WaitFor::default())
                .await;
            answer
                .answered()
                .map_err(|refused| refused.code().to_owned())
        }
        Verb::Suspend => {
            // Likewise.
            let fence = match before {
                StateKind::Suspended => Fence {
                    lease_id: LeaseId(uuid::Uuid::nil()),
                    ..fence
                },
                _ => fence,
            };
            let answer = waiting::try_suspend(engine, suspend(fence)).await;
            answer
                .map(|_| ())
                .map_err(|refused| refused.code().to_owned())
        }
        Verb::Signal => {
            let signal = waiting::signal(&case.waitpoint.token, "open");
            let answer = waiting::try_deliver(engine, signal).await;
            answer
                .map(|_| ())
                .map_err(|refused| refused.code().to_owned())
        }
        Verb::Resume => code(engine.resume(operate(fence.execution_id), None).await),
        Verb::Expire => code(
            engine
                .expire(operate(fence.execution_id), Default::default())
                .await,
        ),
        Verb::Revoke => {
            let revoke = Revoke {
                operate: operate(fence.execution_id),
                expected_lease_id: None,
            };
            code(engine.revoke(revoke).await)
        }
        Verb::Replay => code(engine.replay(operate(fence.execution_id)).await),
        Verb::Prioritize => code(engine.prioritize(operate(fence.execution_id), 7).await),
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
    }
}

fn code<T>(answer: impl Answered<Answer = Result<T, OperateRefusal>>) -> Result<(), String> {
    match answer.answered() {
        Ok(_) => Ok(()),
        Err(refused) => Err(refused.code().to_owned()),
    }
}

async fn state(engine: &Engine, id: ExecutionId) -> StateKind {
    let info = engine.get(id, None).await.answered().expect("known");
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

/// Applies every verb in these states, beside an idle worker or without one, and returns
/// where the database does something else than a table says.
async fn compare(
    states: &[StateKind],
    idle: bool,
    table: impl Fn(StateKind, Verb) -> Rule,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for &from in states {
        let database = database().await;
        let engine = database.engine().await;
        for &verb in Verb::ALL {
            let case = arrange(&engine, from).await;
            let (worker, taken) = idle_worker(&engine, 1);
            if idle {
                worker.open(wanted());
            }
            let answer = apply(&database, &engine, verb, &case).await;
            drop(worker);
            let to = state(&engine, case.fence.execution_id).await;
            let dispatched = taken.lock().expect("not poisoned").pop().is_some();
            let rule = table(from, verb);
            let agrees = match (rule, &answer) {
                (Rule::To(states), Ok(())) => states.contains(&to),
                // Time that passes for one sweep passes for the others as well.
                (Rule::Refused(code), Err(given)) => {
                    code == given && (to == from || verb == Verb::Promote)
                }
                (Rule::To(_), Err(_)) | (Rule::Refused(_), Ok(())) => false,
            };
            // Of the verbs that lead into this state, only a claim needs no idle worker.
            let active = StateKind::Active;
            let may_dispatch = from != active
                && verb != Verb::Claim
                && matches!(rule, Rule::To(states) if states.contains(&active));
            if !agrees || dispatched != (idle && may_dispatch) {
                wrong.push(format!(
                    "{from} × {verb}: {answer:?} → {to}, dispatched: {dispatched}, not {rule:?}"
                ));
            }
            // So that the next verb finds the next execution only.
            let ended = engine.cancel(cancel(case.fence.execution_id)).await;
            ended.answered().ok();
        }
        database.assert_invariants().await;
        engine.close().await;
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_does_what_the_table_says() {
    let wrong = compare(StateKind::ALL, false, rule).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_does_what_the_table_says_beside_an_idle_worker() {
    let wrong = compare(StateKind::ALL, true, rule).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_direct_dispatch_is_found_wrong() {
    let without = |from, verb| match (from, verb) {
        (StateKind::Suspended, Verb::Signal | Verb::Resume) => {
            Rule::To(&[StateKind::Suspended, StateKind::Waiting, StateKind::Delayed])
        }
        _ => rule(from, verb),
    };
    let wrong = compare(&[StateKind::Suspended], true, without).await;
    assert_eq!(wrong.len(), 2, "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_begins_in_the_states_of_the_table() {
    let database = database().await;
    let engine = database.engine().await;
    let (worker, _taken) = idle_worker(&engine, 1);
    let now = || Create::new("echo", Payload::new("text/plain", "x"));
    let later = || Create {
        delay_ms: Some(60_000),
        ..now()
    };
    let mut states = Vec::new();
    for (create, idle) in [
        (now(), false),
        (later(), false),
        (later(), true),
        (now(), true),
    ] {
        if idle {
            worker.open(wanted());
        }
        let id = engine.create(create).await.accepted().id();
        states.push(state(&engine, id).await);
    }
    let (waiting, delayed, active) = (StateKind::Waiting, StateKind::Delayed, StateKind::Active);
    assert_eq!(states, [waiting, delayed, delayed, active]);
    for state in StateKind::ALL {
        let begins = INITIAL_STATES.contains(state);
        assert_eq!(states.contains(state), begins, "{state}");
    }
}
