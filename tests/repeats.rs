//! Repeats: every verb asked again, at once, later, after an answer that was lost, and
//! with something else in it. What each is answered with is one table.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use engine::{
    Answer, Block, Cancel, CancelHeld, Create, Created, Delay, Engine, Fail, IssueGrant, LaneState,
    Operate, Revoke, Suspend, Suspended, SuspensionTimeout, WaitpointRef,
};
use model::{
    BlockingReason, ExecutionId, Failure, FailureClass, Fence, LeaseId, Moment, PublicState,
    TimeoutBehavior,
};
use testkit::{Database, database, eventually};
use time::OffsetDateTime;

use crate::waiting::{self, single};
use crate::work::{self, claim_one, complete, create, operate};

/// What a repeat is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// What the first was answered with, and nothing happens.
    Same,
    /// It is another request, and does what it says.
    Does,
    /// This refusal.
    Refused(&'static str),
}

use Expected::{Does, Refused, Same};

/// One verb: asked again at once, later, of another host after the answer was lost, and
/// at once with something else in it (absent where it says nothing that could differ).
struct Row(Verb, Expected, Expected, Expected, Option<Expected>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    // Of a holder.
    Renew,
    Progress,
    Complete,
    FailRetried,
    FailForGood,
    TimedOut,
    Delay,
    WaitChildren,
    Release,
    CancelHeld,
    Suspend,
    SuspendUntil,
    SuspendKeyed,
    CreateWaitpoint,
    // Of an operator.
    Cancel,
    Expire,
    Revoke,
    RevokeAny,
    Replay,
    Prioritise,
    Block,
    Unblock,
    Resume,
    Tag,
    CompleteOverride,
    FailOverride,
    DelayOverride,
    CloseWaitpoint,
    // Of anybody.
    Create,
    Signal,
    ClaimGrant,
}

const NOT_ACTIVE: Expected = Refused("execution_not_active");

/// Later, an hour has passed, sweeps have run, what could run was finished by another
/// worker, and the lane takes no work; and what a holder ended was replayed as well, and
/// runs again.
const TABLE: &[Row] = &[
    // A lease that is gone lasts no longer, and what it was at is not kept.
    Row(Verb::Renew, Does, Refused("stale_lease"), Does, None),
    Row(
        Verb::Progress,
        Same,
        Refused("stale_lease"),
        Same,
        Some(Does),
    ),
    Row(Verb::Complete, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::FailRetried, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::FailForGood, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::TimedOut, Same, Same, Same, None),
    Row(Verb::Delay, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::WaitChildren, Same, Same, Same, None),
    Row(Verb::Release, Same, Same, Same, None),
    Row(Verb::CancelHeld, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::Suspend, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::SuspendUntil, Same, Same, Same, Some(NOT_ACTIVE)),
    Row(Verb::SuspendKeyed, Same, Same, Same, Some(NOT_ACTIVE)),
    // Who has lost the lease gets no token.
    Row(
        Verb::CreateWaitpoint,
        Same,
        Refused("stale_lease"),
        Same,
        None,
    ),
    Row(Verb::Cancel, Same, Same, Same, Some(Same)),
    Row(Verb::Expire, Same, Same, Same, Some(Same)),
    Row(
        Verb::Revoke,
        Same,
        Same,
        Same,
        Some(Refused("no_active_lease")),
    ),
    Row(
        Verb::RevokeAny,
        Same,
        Refused("no_active_lease"),
        Same,
        None,
    ),
    // It has ended again meanwhile.
    Row(
        Verb::Replay,
        Same,
        Does,
        Same,
        Some(Refused("execution_not_terminal")),
    ),
    Row(Verb::Prioritise, Same, Same, Same, Some(Does)),
    Row(
        Verb::Block,
        Same,
        Same,
        Same,
        Some(Refused("execution_not_eligible")),
    ),
    Row(
        Verb::Unblock,
        Same,
        Same,
        Same,
        Some(Refused("execution_not_eligible")),
    ),
    Row(
        Verb::Resume,
        Same,
        Same,
        Same,
        Some(Refused("execution_not_suspended")),
    ),
    Row(Verb::Tag, Same, Same, Same, Some(Does)),
    Row(Verb::CompleteOverride, Same, Same, Same, Some(NOT_ACTIVE)),
    // Another lease has ended since, which it may have been meant for.
    Row(Verb::FailOverride, Same, NOT_ACTIVE, Same, Some(NOT_ACTIVE)),
    Row(
        Verb::DelayOverride,
        Same,
        NOT_ACTIVE,
        Same,
        Some(NOT_ACTIVE),
    ),
    Row(Verb::CloseWaitpoint, Same, Same, Same, None),
    Row(
        Verb::Create,
        Same,
        Same,
        Same,
        Some(Refused("idempotency_conflict")),
    ),
    Row(Verb::Signal, Same, Same, Same, Some(Same)),
    Row(
        Verb::ClaimGrant,
        Refused("grant_already_exists"),
        Refused("execution_not_eligible"),
        Refused("grant_already_exists"),
        Some(Refused("grant_already_exists")),
    ),
];

/// An execution that a verb is about to be asked of.
struct Case {
    id: ExecutionId,
    fence: Fence,
    token: Option<engine::WaitpointToken>,
    until: OffsetDateTime,
}

async fn arrange(database: &Database, engine: &Engine, verb: Verb) -> Case {
    let mut request = create("x");
    request.policy.retry_policy.max_retries = match verb {
        Verb::FailForGood => 0,
        _ => 3,
    };
    let id = engine.create(request).await;
    let id = id.expect("asked").expect("created").id();
    let fence = claim_one(engine).await.fence;
    let mut case = Case {
        id,
        fence,
        token: None,
        until: work::now(database).await + Duration::from_secs(3),
    };
    match verb {
        Verb::Prioritise | Verb::Block | Verb::ClaimGrant => {
            let answer = engine.release(fence, Default::default()).await;
            answer.expect("asked").expect("given back");
        }
        Verb::Unblock => {
            let answer = engine.release(fence, Default::default()).await;
            answer.expect("asked").expect("given back");
            said(
                engine
                    .block(hold(id, BlockingReason::PausedByOperator))
                    .await,
            );
        }
        Verb::Replay => work::completed(engine, fence).await,
        Verb::Resume => {
            waiting::suspended(engine, waiting::suspend(fence, single("door", "open"))).await;
        }
        Verb::Signal | Verb::CloseWaitpoint => {
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

fn by(id: ExecutionId, actor: &str) -> Operate {
    let mut operate = operate(id);
    operate.by.actor = actor.to_owned();
    operate
}

/// Returns what was said, or panics.
fn said<T: Debug, R: Debug>(answer: Answer<T, R>) -> T {
    answer.expect("asked").expect("granted")
}

/// Writes an answer down, to be compared.
macro_rules! told {
    ($answer:expr, $($shown:tt)+) => {
        match $answer.expect("asked") {
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
async fn ask(
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
            let answer = engine
                .renew(&[fence], 30_000)
                .await
                .expect("asked")
                .remove(0);
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
                delay_ms: if other { 7 } else { 60_000 },
                report: report(),
            };
            told!(engine.delay(delay).await, in_full)
        }
        Verb::WaitChildren => told!(engine.wait_children(fence, report()).await, plain),
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
            told!(engine.expire(by(id, actor)).await, plain)
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
        Verb::Prioritise => {
            let priority = if other { 8 } else { 7 };
            told!(engine.prioritise(operate(id), priority).await, plain)
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
            let delay_ms = if other { 7 } else { 60_000 };
            told!(engine.delay_override(operate(id), delay_ms).await, in_full)
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
                engine.signal(signal).await,
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
            told!(engine.issue_claim_grant(id, wanted).await, plain)
        }
    }
}

/// What everybody can see of an execution, and what was done to it.
async fn seen(engine: &Engine, id: ExecutionId) -> String {
    let info = said(engine.get(id, None).await.map(|it| it.ok_or("unknown")));
    let operations = engine.operations(id).await.expect("asked").len();
    let attempts = engine.attempts(id).await.expect("asked");
    let signals = engine.signals(id, None, None, 100).await.expect("asked");
    let suspensions = engine.suspensions(id, None, 100).await.expect("asked");
    format!(
        "{:?} {} {} {operations} {attempts:?} {:?} {:?} {:?}",
        info.public_state, info.epoch, info.priority, info.tags, signals, suspensions
    )
}

/// Lets an hour pass and whatever waits be finished by another worker.
async fn pass(database: &Database, engine: &Engine, case: &Case, verb: Verb) {
    let of_a_holder = (Verb::Renew as u8..Verb::Cancel as u8).contains(&(verb as u8));
    for _ in 0..3 {
        database.advance(Duration::from_secs(3_600)).await;
        engine.reconcile().await.expect("swept");
        let info = engine
            .get(case.id, None)
            .await
            .expect("asked")
            .expect("known");
        match info.public_state {
            PublicState::Suspended => said(engine.resume(by(case.id, "bob"), None).await),
            PublicState::WaitingChildren => said(engine.unblock(by(case.id, "bob"), None).await),
            _ => {}
        }
        for claimed in work::claim(engine, 10).await {
            work::completed(engine, claimed.fence).await;
        }
    }
    // A time that was given is compared with the clock, which cannot be moved.
    if matches!(verb, Verb::SuspendUntil | Verb::SuspendKeyed) {
        eventually("the time limit has passed", async || {
            (work::now(database).await > case.until).then_some(())
        })
        .await;
    }
    if of_a_holder {
        said(engine.replay(by(case.id, "bob")).await);
        claim_one(engine).await;
    }
    let closed = engine.set_lane("default", Some(LaneState::Disabled), None);
    said(closed.await);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeats_of_every_verb_are_answered_as_the_first_was() {
    let mut wrong = Vec::new();
    for Row(verb, at_once, later, lost, other) in TABLE {
        let ways = [
            ("at once", Some(*at_once)),
            ("later", Some(*later)),
            ("after a lost answer", Some(*lost)),
            ("with something else", *other),
        ];
        for (way, expected) in ways {
            let Some(expected) = expected else { continue };
            let database = database().await;
            let engine = database.engine().await;
            let case = arrange(&database, &engine, *verb).await;
            let first = ask(&engine, &case, *verb, false).await;
            let first = first.unwrap_or_else(|code| panic!("{verb:?} was refused: {code}"));
            if way == "later" {
                pass(&database, &engine, &case, *verb).await;
            }
            let before = seen(&engine, case.id).await;
            // Another host knows nothing of what the first one was asked.
            let asked = match way {
                "at once" => engine.clone(),
                _ => database.engine().await,
            };
            let again = ask(&asked, &case, *verb, way == "with something else").await;
            let after = seen(&engine, case.id).await;
            let agrees = match (&again, expected) {
                (Ok(again), Same) => *again == first && (after == before || *verb == Verb::Tag),
                (Ok(_), Does) => true,
                (Err(code), Refused(expected)) => *code == expected && after == before,
                _ => false,
            };
            if !agrees {
                wrong.push(format!(
                    "{verb:?} {way}: {again:?} after {first:?}, expected {expected:?}\n  before {before}\n  after  {after}"
                ));
            }
            database.assert_invariants().await;
            engine.close().await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
