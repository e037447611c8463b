//! What is asked of an execution, and how the answer is told.

use engine::{
    Binding, Block, Cancel, Claim, Complete, CreateWaitpoint, Delay, Engine, Revoke, SendSignal,
    Suspend, Suspended, WaitFor, WaitpointRef,
};
use model::{BlockingReason, FailureClass, Fence, FlowRefusal, OperateRefusal};
use testkit::Answered;

use super::schedules::Case;
use crate::support::waiting::{self, single, sources, suspend, try_deliver, try_suspend};
use crate::support::work::{self, operate, text};

/// What is asked. Waitpoints have the key `door`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Ask {
    Claim,
    Renew,
    Progress,
    Complete,
    Fail,
    Delay,
    WaitChildren,
    Cancel,
    Expire,
    Revoke,
    Reclaim,
    Promote,
    Replay,
    Prioritize,
    Block,
    Unblock,
    CreateWaitpoint,
    CloseWaitpoint,
    /// At a new waitpoint, for one signal.
    SuspendFresh,
    /// At the waitpoint that has the key, for two sources.
    SuspendKeyed,
    /// At the pending waitpoint, for two sources.
    SuspendPending,
    /// A signal that satisfies nothing.
    Hint,
    /// A signal that satisfies.
    Signal,
    Resume,
    /// The sweep of suspensions whose time has passed.
    Timeout,
}

impl Ask {
    /// Whether it passes over rows that another statement holds.
    pub(super) fn passes_over(self) -> bool {
        matches!(self, Self::Claim | Self::Promote | Self::Reclaim)
    }

    /// Returns what it answers then. Sweeps take all that is due, so they say
    /// nothing of one execution.
    pub(super) fn passed_over(self) -> String {
        if self == Self::Claim {
            "nothing"
        } else {
            "swept"
        }
        .to_owned()
    }
}

pub(super) async fn claim(engine: &Engine, lane: &str) -> Option<Fence> {
    let claim = Claim {
        worker_instance_id: "test".to_owned(),
        namespaces: None,
        lanes: vec![lane.to_owned()],
        kinds: None,
        capabilities: Default::default(),
        max: 1,
        lease_ttl_ms: 30_000,
    };
    let claimed = engine.claim(claim).await.answered().pop()?;
    Some(claimed.fence)
}

/// Has a signal come from a source.
pub(super) fn from(mut deliver: SendSignal, source: &str) -> SendSignal {
    deliver.source_identity = source.to_owned();
    deliver
}

/// Asks, and returns `ok`, what else the answer is, or the code of the refusal.
pub(super) async fn ask(engine: &Engine, what: Ask, case: &Case) -> String {
    let fence = case.fence;
    let id = fence.execution_id;
    match what {
        Ask::Claim => match claim(engine, &case.lane).await {
            Some(_) => "ok".to_owned(),
            None => what.passed_over(),
        },
        Ask::Promote | Ask::Reclaim | Ask::Timeout => {
            engine.reconcile().await.expect("swept");
            what.passed_over()
        }
        Ask::Renew => {
            let answer = engine.renew(&[fence], 30_000).await;
            held(answer.answered().remove(0))
        }
        Ask::Progress => held(engine.progress(fence, Some(50), None).await.answered()),
        Ask::Complete => {
            let complete = Complete {
                fence,
                result: text("done"),
                report: Default::default(),
            };
            held(engine.complete(complete).await.answered())
        }
        Ask::Fail => {
            let fail = work::fail(fence, FailureClass::Transient);
            held(engine.fail(fail).await.answered())
        }
        Ask::Delay => {
            let delay = Delay {
                fence,
                due: engine::Due::InMs(3_600_000),
                report: Default::default(),
            };
            held(engine.delay(delay).await.answered())
        }
        Ask::WaitChildren => {
            let answer = engine
                .wait_children(fence, Default::default(), &WaitFor::default())
                .await;
            held(answer.answered().map_err(|refusal| match refusal {
                FlowRefusal::Lease(refusal) => refusal,
                other => panic!("{other}"),
            }))
        }
        Ask::Cancel => {
            let cancel = Cancel {
                id,
                namespace: None,
                reason: None,
                source: Default::default(),
                actor: Some("alice".to_owned()),
            };
            match engine.cancel(cancel).await.answered() {
                Ok(_) => "ok".to_owned(),
                Err(refused) => refused.code().to_owned(),
            }
        }
        Ask::Expire => operated(engine.expire(operate(id), Default::default()).await),
        Ask::Revoke => {
            let revoke = Revoke {
                operate: operate(id),
                expected_lease_id: None,
            };
            operated(engine.revoke(revoke).await)
        }
        Ask::Replay => operated(engine.replay(operate(id)).await),
        Ask::Prioritize => operated(engine.prioritize(operate(id), 7).await),
        Ask::Block => {
            let block = Block {
                operate: operate(id),
                reason: BlockingReason::PausedByPolicy,
                detail: None,
            };
            operated(engine.block(block).await)
        }
        Ask::Unblock => operated(engine.unblock(operate(id), None).await),
        Ask::CreateWaitpoint => {
            let create = CreateWaitpoint {
                fence,
                key: "door".to_owned(),
                expires_in_ms: None,
                signal_names: Vec::new(),
            };
            match engine.create_waitpoint(create).await.answered() {
                Ok(made) if made.existing => "existing".to_owned(),
                Ok(_) => "ok".to_owned(),
                Err(refused) => refused.code().to_owned(),
            }
        }
        Ask::CloseWaitpoint => {
            let door = WaitpointRef::Key("door".to_owned());
            match engine.close_waitpoint(operate(id), door).await.answered() {
                Ok(()) => "ok".to_owned(),
                Err(refused) => refused.code().to_owned(),
            }
        }
        Ask::SuspendFresh => {
            let fresh = Binding::Fresh {
                key: "door".to_owned(),
                signal_names: Vec::new(),
            };
            suspend_at(engine, fence, vec![fresh], single("door", "open")).await
        }
        Ask::SuspendKeyed => suspend_at(engine, fence, Vec::new(), sources("door", 2)).await,
        Ask::SuspendPending => {
            let door = case.waitpoint.as_ref().expect("a waitpoint");
            let pending = vec![Binding::UsePending(door.id)];
            suspend_at(engine, fence, pending, sources("door", 2)).await
        }
        Ask::Hint => signal(engine, case, "hint", "a").await,
        Ask::Signal => signal(engine, case, "open", "b").await,
        Ask::Resume => operated(engine.resume(operate(id), None).await),
    }
}

fn held<T>(answer: Result<T, model::LeaseRefusal>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(refused) => refused.code().to_owned(),
    }
}

fn operated<T>(answer: impl Answered<Answer = Result<T, OperateRefusal>>) -> String {
    match answer.answered() {
        Ok(_) => "ok".to_owned(),
        Err(refused) => refused.code().to_owned(),
    }
}

async fn suspend_at(
    engine: &Engine,
    fence: Fence,
    waitpoints: Vec<Binding>,
    condition: model::ResumeCondition,
) -> String {
    let request = Suspend {
        waitpoints,
        ..suspend(fence, condition)
    };
    match try_suspend(engine, request).await {
        Ok(Suspended::Suspended(_)) => "ok".to_owned(),
        Ok(Suspended::AlreadySatisfied(engine::Satisfied { resumption, .. })) => {
            format!("satisfied by {}", resumption.signal_count)
        }
        Err(refused) => refused.code().to_owned(),
    }
}

async fn signal(engine: &Engine, case: &Case, name: &str, source: &str) -> String {
    let door = case.waitpoint.as_ref().expect("a waitpoint");
    let deliver = from(waiting::signal(&door.token, name), source);
    match try_deliver(engine, deliver).await {
        Ok(delivered) => delivered.effect.to_string(),
        Err(refused) => refused.code().to_owned(),
    }
}
