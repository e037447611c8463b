//! Executions that wait, for the tests of the engine.

use std::sync::Arc;

use engine::{
    Addressee, Claimed, CreateWaitpoint, Delivered, Engine, MintWaitpointToken,
    MintedWaitpointToken, OpenWaitpoint, Resumption, RotateWaitpointKey, RotatedWaitpointKey,
    SendSignal, Suspend, Suspended, Suspension, VerifiedWaitpointToken, WaitpointToken,
    WaitpointTokenExpiry,
};
use model::{
    CompositeBody, CountKind, ExecutionId, Fence, InvalidWaitpointToken, NAMESPACE_DEFAULT,
    PublicState, ResumeCondition, ResumePolicy, SignalMatcher, SignalRefusal, SuspendRefusal,
    SuspensionReason, SuspensionRequester, WaitpointId,
};
use testkit::Answered;
use uuid::Uuid;

use crate::support::work::{claim_one, create, text};

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
/// policy; a caller that does not know what it claimed must set `known` itself.
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
    engine.suspend(suspend).await.answered()
}

pub(crate) async fn suspended(engine: &Engine, suspend: Suspend) -> Suspension {
    match try_suspend(engine, suspend).await.expect("suspended") {
        Suspended::Suspended(suspension) => suspension,
        Suspended::AlreadySatisfied(resumption) => panic!("satisfied at once: {resumption:?}"),
    }
}

/// Creates an execution and claims it.
pub(crate) async fn running(engine: &Engine) -> Claimed {
    let created = engine.create(create("x")).await;
    created.accepted();
    claim_one(engine).await
}

/// Creates an execution and suspends it.
pub(crate) async fn suspended_execution(
    engine: &Engine,
    condition: ResumeCondition,
) -> (Claimed, OpenWaitpoint) {
    let claimed = running(engine).await;
    let mut suspension = suspended(engine, suspend(claimed.fence, condition)).await;
    (claimed, suspension.waitpoints.remove(0))
}

pub(crate) fn create_waitpoint(fence: Fence, key: &str) -> CreateWaitpoint {
    CreateWaitpoint {
        fence,
        key: key.to_owned(),
        expires_in_ms: None,
        signal_names: Vec::new(),
    }
}

/// Creates a waitpoint before any suspension uses it.
pub(crate) async fn waitpoint(engine: &Engine, fence: Fence, key: &str) -> OpenWaitpoint {
    let made = engine.create_waitpoint(create_waitpoint(fence, key)).await;
    made.accepted()
}

pub(crate) async fn state(engine: &Engine, fence: Fence) -> PublicState {
    let info = engine.get(fence.execution_id, None).await.answered();
    info.expect("known").public_state
}

/// Returns what a claimed execution resumes with.
pub(crate) fn resumption(claimed: &Claimed) -> &Resumption {
    claimed.resumption.as_deref().expect("it was suspended")
}

/// Returns the names of the signals received, in order.
pub(crate) fn names(resumption: &Resumption) -> Vec<&str> {
    let signals = resumption.signals.iter();
    signals.map(|signal| signal.name.as_str()).collect()
}

pub(crate) fn signal(token: &WaitpointToken, name: &str) -> SendSignal {
    SendSignal {
        to: Addressee::Token {
            token: token.reveal().to_owned(),
            execution_id: None,
            namespace: None,
        },
        name: name.to_owned(),
        category: None,
        source_type: "test".to_owned(),
        source_identity: "person".to_owned(),
        credential: None,
        correlation_id: None,
        payload: Some(text(name)),
        idempotency_key: None,
        dedup_ttl_ms: None,
    }
}

/// The same from another source.
pub(crate) fn from(mut deliver: SendSignal, source: &str) -> SendSignal {
    deliver.source_identity = source.to_owned();
    deliver
}

pub(crate) async fn try_deliver(
    engine: &Engine,
    deliver: SendSignal,
) -> Result<Delivered, SignalRefusal> {
    engine.send_signal(deliver).await.answered()
}

pub(crate) async fn deliver(engine: &Engine, deliver: SendSignal) -> Delivered {
    try_deliver(engine, deliver).await.expect("accepted")
}

/// A token for a waitpoint that no other token names.
pub(crate) fn wanted_token() -> MintWaitpointToken {
    MintWaitpointToken {
        namespace: "default".into(),
        execution_id: ExecutionId::from_uuid(Uuid::from_u128(7)),
        waitpoint_id: WaitpointId(Uuid::new_v4()),
        signal_names: vec!["approved".into()],
        expiry: WaitpointTokenExpiry::Never,
    }
}

pub(crate) async fn mint(engine: &Engine, wanted: MintWaitpointToken) -> MintedWaitpointToken {
    let minted = engine.mint_waitpoint_tokens(&[wanted]).await;
    minted.accepted().remove(0)
}

pub(crate) async fn verify(
    engine: &Engine,
    text: &str,
) -> Result<VerifiedWaitpointToken, InvalidWaitpointToken> {
    engine.verify_waitpoint_token(text).await.answered()
}

pub(crate) async fn rotate(engine: &Engine, kid: &str, grace_ms: u64) -> RotatedWaitpointKey {
    let rotate = RotateWaitpointKey {
        kid: Some(kid.into()),
        secret_hex: None,
        grace_ms: Some(grace_ms),
        actor: "test".into(),
    };
    engine.rotate_waitpoint_key(rotate).await.accepted()
}
