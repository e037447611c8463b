//! Asks for each verb, the same again or with something else in it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use engine::{
    Block, Cancel, CancelHeld, Create, Created, Delay, Due, Engine, Fail, IssueGrant, Operate,
    Revoke, Suspend, Suspended, SuspensionTimeout, WaitFor, WaitpointRef,
};
use model::{
    BlockingReason, ExecutionId, Failure, FailureClass, Fence, GrantKind, LeaseId, Moment,
    TimeoutBehavior,
};
use testkit::{Answered, Database};
use time::OffsetDateTime;

use super::table::Verb;
use crate::support::waiting::{self, single};
use crate::support::work::{self, claim_one, complete, create, operate};

/// An execution that a verb is about to be asked of.
pub(super) struct Case {
    pub(super) id: ExecutionId,
    pub(super) fence: Fence,
    pub(super) token: Option<engine::WaitpointToken>,
    pub(super) until: OffsetDateTime,
}

pub(super) async fn arrange(database: &Database, engine: &Engine, verb: Verb) -> Case {
    let mut request = create("x");
    request.policy.retry_policy.max_retries = match verb {
        Verb::FailForGood => 0,
        _ => 3,
    };
    let id = engine.create(request).await;
    let id = id.accepted().id();
    let fence = claim_one(engine).await.fence;
    let mut case = Case {
        id,
        fence,
        token: None,
        until: work::now(database).await + Duration::from_secs(3),
    };
    match verb {
        Verb::Prioritize | Verb::Block | Verb::ClaimGrant => {
            let answer = engine.release(fence, Default::default()).await;
            answer.accepted();
        }
        Verb::Unblock => {
            let answer = engine.release(fence, Default::default()).await;
            answer.accepted();
            let block = hold(id, BlockingReason::PausedByOperator);
            engine.block(block).await.accepted();
        }
        Verb::Replay => work::completed(engine, fence).await,
        Verb::Resume => {
            waiting::suspended(engine, waiting::suspend(fence, single("door", "open"))).await;
        }
        Verb::Signal | Verb::CloseWaitpoint | Verb::CloseHeldWaitpoint => {
            case.token = Some(waiting::waitpoint(engine, fence, "door").await.token);
        }
        _ => {}
    }
    case
}

fn hold(id: ExecutionId, reason: BlockingReason) -> Block {
    Block {
        operate: operate(id),
        reason,
        detail: None,
    }
}

pub(super) fn by(id: ExecutionId, actor: &str) -> Operate {
    let mut operate = operate(id);
    operate.by.actor = actor.to_owned();
    operate
}

/// Writes an answer down, to be compared.
macro_rules! told {
    ($answer:expr, $($shown:tt)+) => {
        match $answer.answered() {
            Ok(answer) => Ok(($($shown)+)(answer)),
            Err(refused) => Err(refused.code()),
        }
    };
}

fn plain<T>(_: T) -> String {
    "done".to_owned()
}

fn in_full<T: Debug>(answer: T) -> String {
    format!("{answer:?}")
}

fn suspension(answer: Suspended) -> String {
    let Suspended::Suspended(suspension) = answer else {
        return in_full(answer);
    };
    let at: Vec<_> = suspension.waitpoints.iter().map(|it| it.id).collect();
    format!("{} {:?} {at:?}", suspension.id, suspension.timeout_at)
}

fn wait(case: &Case, verb: Verb, other: bool) -> Suspend {
    let mut suspend = waiting::suspend(case.fence, single("door", "open"));
    if other {
        suspend.state = Some(work::text("another"));
    }
    if verb != Verb::Suspend {
        suspend.timeout = Some(SuspensionTimeout::At(
            Moment::new(case.until).expect("a time"),
        ));
        suspend.timeout_behavior = Some(TimeoutBehavior::AutoResumeWithTimeoutSignal);
    }
    if verb == Verb::SuspendKeyed {
        suspend.idempotency_key = Some("once".to_owned());
    }
    suspend
}

/// Asks for a verb; `other` with something else in it.
pub(super) async fn ask(
    engine: &Engine,
    case: &Case,
    verb: Verb,
    other: bool,
) -> Result<String, &'static str> {
    let (id, fence) = (case.id, case.fence);
    let report = engine::Report::default;
    let fail = |class| {
        let message = if other { "other" } else { "it broke" };
        Fail {
            failure: Failure::new(class, "broken", message),
            ..work::fail(fence, class)
        }
    };
    match verb {
        Verb::Renew => {
            let answer = engine.renew(&[fence], 30_000).await.answered().remove(0);
            told!(Ok::<_, engine::Error>(answer), plain)
        }
        Verb::Progress => {
            let percent = if other { 60 } else { 50 };
            told!(engine.progress(fence, Some(percent), None).await, plain)
        }
        Verb::Complete => {
            let result = if other { "other" } else { "well" };
            told!(engine.complete(complete(fence, result)).await, plain)
        }
        Verb::FailRetried => told!(engine.fail(fail(FailureClass::Transient)).await, in_full),
        Verb::FailForGood => told!(engine.fail(fail(FailureClass::Transient)).await, in_full),
        Verb::TimedOut => {
            let fail = Fail {
                timed_out: true,
                ..fail(FailureClass::Timeout)
            };
            told!(engine.fail(fail).await, in_full)
        }
        Verb::Delay => {
            let delay = Delay {
                fence,
                due: Due::InMs(if other { 7 } else { 60_000 }),
                report: report(),
            };
            told!(engine.delay(delay).await, in_full)
        }
        Verb::WaitChildren => told!(
            engine
                .wait_children(fence, report(), &WaitFor::default())
                .await,
            plain
        ),
        Verb::Release => told!(engine.release(fence, report()).await, plain),
        Verb::CancelHeld => {
            let cancel = CancelHeld {
                fence,
                reason: if other { "other" } else { "not wanted" }.to_owned(),
                report: report(),
            };
            told!(engine.cancel_held(cancel).await, plain)
        }
        Verb::Suspend | Verb::SuspendUntil | Verb::SuspendKeyed => {
            told!(engine.suspend(wait(case, verb, other)).await, suspension)
        }
        Verb::CreateWaitpoint => {
            let wanted = waiting::create_waitpoint(fence, "door");
            told!(
                engine.create_waitpoint(wanted).await,
                |made: engine::OpenWaitpoint| { made.id.to_string() }
            )
        }
        Verb::CloseHeldWaitpoint => {
            let which = WaitpointRef::Key("door".to_owned());
            told!(engine.close_held_waitpoint(fence, which).await, plain)
        }
        Verb::Cancel => {
            let cancel = Cancel {
                id,
                namespace: None,
                reason: Some(if other { "other" } else { "not wanted" }.to_owned()),
                source: Default::default(),
                actor: None,
            };
            told!(engine.cancel(cancel).await, plain)
        }
        Verb::Expire => {
            let actor = if other { "bob" } else { "alice" };
            told!(
                engine.expire(by(id, actor), Default::default()).await,
                plain
            )
        }
        Verb::Revoke | Verb::RevokeAny => {
            let lease = match other {
                true => LeaseId(uuid::Uuid::nil()),
                false => fence.lease_id,
            };
            let revoke = Revoke {
                operate: operate(id),
                expected_lease_id: (verb == Verb::Revoke).then_some(lease),
            };
            told!(engine.revoke(revoke).await, |revoked: engine::Revoked| {
                format!("{} {}", revoked.lease_id, revoked.epoch)
            })
        }
        Verb::Replay => {
            let actor = if other { "bob" } else { "alice" };
            told!(engine.replay(by(id, actor)).await, in_full)
        }
        Verb::Prioritize => {
            let priority = if other { 8 } else { 7 };
            told!(engine.prioritize(operate(id), priority).await, plain)
        }
        Verb::Block => {
            let reason = match other {
                true => BlockingReason::PausedByPolicy,
                false => BlockingReason::PausedByOperator,
            };
            told!(engine.block(hold(id, reason)).await, plain)
        }
        Verb::Unblock => {
            let reason = match other {
                true => BlockingReason::PausedByPolicy,
                false => BlockingReason::PausedByOperator,
            };
            told!(engine.unblock(operate(id), Some(reason)).await, plain)
        }
        Verb::Resume => {
            let delay = other.then_some(5);
            told!(engine.resume(operate(id), delay).await, plain)
        }
        Verb::Tag => {
            let value = if other { "b" } else { "a" };
            let tags = BTreeMap::from([("app.x".to_owned(), Some(value.to_owned()))]);
            told!(engine.tag(operate(id), tags).await, plain)
        }
        Verb::CompleteOverride => {
            let result = work::text(if other { "other" } else { "well" });
            told!(engine.complete_override(operate(id), result).await, plain)
        }
        Verb::FailOverride => {
            let failure = fail(FailureClass::Transient).failure;
            told!(engine.fail_override(operate(id), failure).await, in_full)
        }
        Verb::DelayOverride => {
            let due = Due::InMs(if other { 7 } else { 60_000 });
            told!(engine.delay_override(operate(id), due).await, in_full)
        }
        Verb::WaitChildrenOverride => {
            told!(
                engine
                    .wait_children_override(operate(id), &WaitFor::default())
                    .await,
                plain
            )
        }
        Verb::CloseWaitpoint => {
            let which = WaitpointRef::Key("door".to_owned());
            told!(engine.close_waitpoint(operate(id), which).await, plain)
        }
        Verb::Create => {
            let mut again = Create {
                idempotency_key: Some("once".to_owned()),
                ..create("keyed")
            };
            if other {
                again.priority += 1;
            }
            told!(engine.create(again).await, |created: Created| {
                created.id().to_string()
            })
        }
        Verb::Signal => {
            let token = case.token.as_ref().expect("it has a waitpoint");
            let mut signal = waiting::signal(token, if other { "other" } else { "open" });
            signal.idempotency_key = Some("once".to_owned());
            told!(
                engine.send_signal(signal).await,
                |delivered: engine::Delivered| {
                    format!("{} {:?}", delivered.signal_id, delivered.effect)
                }
            )
        }
        Verb::ClaimGrant => {
            let wanted = IssueGrant {
                worker_id: "w".to_owned(),
                worker_instance_id: if other { "w-2" } else { "w-1" }.to_owned(),
                capabilities: Default::default(),
                grant_ttl_ms: 60_000,
            };
            told!(
                engine.issue_grant(id, None, GrantKind::Claim, wanted).await,
                plain
            )
        }
    }
}
