//! Executions that wait, for the tests of the engine.

use std::sync::Arc;

use engine::{
    Addressee, Claimed, Deliver, Delivered, Engine, OpenWaitpoint, Suspend, Suspended, Suspension,
    WaitpointToken,
};
use model::{
    CompositeBody, CountKind, Fence, NAMESPACE_DEFAULT, ResumeCondition, ResumePolicy,
    SignalMatcher, SignalRefusal, SuspendRefusal, SuspensionReason, SuspensionRequester,
};

use crate::work::{claim_one, create, text};

/// Waits at waitpoint `key` for a signal of this name.
pub(crate) fn single(key: &str, name: &str) -> ResumeCondition {
    ResumeCondition::Single {
        waitpoint_key: key.to_owned(),
        matcher: SignalMatcher::ByName(name.to_owned()),
    }
}

/// Waits at waitpoint `key` for so many sources.
pub(crate) fn sources(key: &str, n: u32) -> ResumeCondition {
    ResumeCondition::Composite(CompositeBody::Count {
        n,
        count_kind: CountKind::DistinctSources,
        matcher: None,
        waitpoints: vec![key.to_owned()],
    })
}

/// Asks for a suspension as a worker does that claimed an execution of the default
/// policy; whoever does not know what it claimed must say so.
pub(crate) fn suspend(fence: Fence, condition: ResumeCondition) -> Suspend {
    Suspend {
        fence,
        waitpoints: Vec::new(),
        condition,
        resume_policy: ResumePolicy::default(),
        reason: SuspensionReason::WaitingForSignal,
        requested_by: SuspensionRequester::Worker,
        timeout: None,
        timeout_behavior: None,
        state: Some(text("saved")),
        idempotency_key: None,
        report: Default::default(),
        known: Some((NAMESPACE_DEFAULT.to_owned(), Arc::default())),
    }
}

pub(crate) async fn try_suspend(
    engine: &Engine,
    suspend: Suspend,
) -> Result<Suspended, SuspendRefusal> {
    engine.suspend(suspend).await.expect("asked")
}

pub(crate) async fn suspended(engine: &Engine, suspend: Suspend) -> Suspension {
    match try_suspend(engine, suspend).await.expect("suspended") {
        Suspended::Suspended(suspension) => suspension,
        Suspended::AlreadySatisfied(resumption) => panic!("satisfied at once: {resumption:?}"),
    }
}

/// Creates an execution and suspends it.
pub(crate) async fn put_down(
    engine: &Engine,
    condition: ResumeCondition,
) -> (Claimed, OpenWaitpoint) {
    let created = engine.create(create("x")).await;
    created.expect("asked").expect("created");
    let claimed = claim_one(engine).await;
    let mut suspension = suspended(engine, suspend(claimed.fence, condition)).await;
    (claimed, suspension.waitpoints.remove(0))
}

pub(crate) fn signal(token: &WaitpointToken, name: &str) -> Deliver {
    Deliver {
        to: Addressee::Token {
            token: token.reveal().to_owned(),
            execution_id: None,
            namespace: None,
        },
        name: name.to_owned(),
        category: None,
        source_type: "test".to_owned(),
        source_identity: "somebody".to_owned(),
        correlation_id: None,
        payload: Some(text(name)),
        idempotency_key: None,
        dedup_ttl_ms: None,
    }
}

pub(crate) async fn try_deliver(
    engine: &Engine,
    deliver: Deliver,
) -> Result<Delivered, SignalRefusal> {
    engine.signal(deliver).await.expect("asked")
}

pub(crate) async fn deliver(engine: &Engine, deliver: Deliver) -> Delivered {
    try_deliver(engine, deliver).await.expect("accepted")
}
