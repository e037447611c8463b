//! `/v1/leases/…`: what a program does with the leases it holds.
//!
//! The verbs are those of the interfaces `claim` and `complete`. A handle names
//! the lease and proves it; whether the lease still holds is decided by the
//! engine under its fence. A request is about one lease, or about up to 500 in
//! `leases`, each with a verdict of its own; those are batched into one statement.

use axum::extract::State;
use engine::{CancelHeld, Complete, Delay, Due, Engine, Fail, Failed, HandleSigner, Report};
use model::{Failure, Fence, Invalid, Limits, Moment, Scope};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::api::{
    CancelLease, CancelOneOrMany, CloseLeaseWaitpoint, CloseWaitpointOneOrMany, CompleteLease,
    CompleteOneOrMany, DelayLease, DelayOneOrMany, FailLease, FailOneOrMany, LeaseAnswer,
    LeaseEffect, LeaseOutcome, LeaseVerdict, LeaseVerdicts, ProgressLease, ProgressOneOrMany,
    ReleaseLease, ReleaseOneOrMany, Renew, RenewOneOrMany, WaitChildrenLease,
    WaitChildrenOneOrMany, wait_for,
};
use crate::http::App;
use crate::http::access::Caller;
use crate::http::answer::{self, Json, unless_unavailable};
use crate::http::body::{self, Body, at_most};
use crate::http::payload::{PayloadFields, RESULT};
use crate::http::problem::{Code, Problem};
use crate::http::query::NoQuery;
use crate::http::waitpoints::operate::waitpoint_of;

/// What every route here answers.
pub(super) type Answer = answer::Answer<LeaseAnswer>;

/// A body that is about one lease or about many. It is read twice: items one by one, so
/// that a malformed one is refused alone.
pub type Asked = Box<RawValue>;

/// Extends the time to live of leases.
///
/// A lease that has expired is not renewed, even if the execution was not reclaimed yet.
#[utoipa::path(
    post, path = "/v1/leases/renew", tag = "leases",
    request_body = RenewOneOrMany,
    responses((status = 200, body = LeaseAnswer))
)]
pub async fn renew(
    State(app): State<App>,
    caller: Caller,
    _: NoQuery,
    Body(request): Body<Renew>,
) -> Answer {
    crate::api::check_ttl(request.lease_ttl_ms)?;
    let ttl_ms = request.lease_ttl_ms;
    match (request.lease, request.leases) {
        (Some(lease), None) => {
            let verdict = renew_all(&app.engine, caller.scope(), &[lease], ttl_ms)
                .await?
                .pop();
            let outcome = verdict.expect("one verdict for each lease")?;
            Ok(Json(LeaseAnswer::One(outcome)))
        }
        (None, Some(leases)) => {
            at_most("leases", leases.len(), Limits::LEASES_MAX)?;
            many(renew_all(&app.engine, caller.scope(), &leases, ttl_ms).await?)
        }
        _ => Err(Invalid::new("lease", "give either lease or leases").into()),
    }
}

async fn renew_all(
    engine: &Engine,
    scope: &Scope,
    handles: &[String],
    ttl_ms: u32,
) -> Result<Vec<Result<LeaseOutcome, Problem>>, Problem> {
    let signer = engine.handle_signer().await?;
    let fences: Vec<Option<Fence>> = handles
        .iter()
        .map(|handle| held(signer, scope, handle).ok())
        .collect();
    let known: Vec<Fence> = fences.iter().copied().flatten().collect();
    let mut renewed = engine.renew(&known, ttl_ms).await?.into_iter();
    let verdicts = fences.into_iter().map(|fence| {
        let fence = fence.ok_or_else(invalid_handle)?;
        let lease_expires_at = renewed.next().expect("one verdict for each fence")?;
        Ok(LeaseOutcome {
            lease_expires_at: Some(lease_expires_at),
            ..outcome(&fence, LeaseEffect::Renewed)
        })
    });
    Ok(verdicts.collect())
}

/// Ends executions with success.
///
/// A repeat with the same result succeeds again.
#[utoipa::path(
    post, path = "/v1/leases/complete", tag = "leases",
    request_body = CompleteOneOrMany,
    responses((status = 200, body = LeaseAnswer))
)]
pub async fn complete(app: State<App>, caller: Caller, _: NoQuery, asked: Body<Asked>) -> Answer {
    each::<CompleteLease>(&app, &caller, asked.0).await
}

/// Reports failures; the policy of each execution decides whether it is tried
/// again.
#[utoipa::path(
    post, path = "/v1/leases/fail", tag = "leases",
    request_body = FailOneOrMany,
    responses((status = 200, body = LeaseAnswer))
)]
pub async fn fail(app: State<App>, caller: Caller, _: NoQuery, asked: Body<Asked>) -> Answer {
    each::<FailLease>(&app, &caller, asked.0).await
}

/// Delays executions; the same attempts resume when the delay is over, under new
/// leases.
#[utoipa::path(
    post, path = "/v1/leases/delay", tag = "leases",
    request_body = DelayOneOrMany,
    responses((status = 200, body = LeaseAnswer))
)]
pub async fn delay(app: State<App>, caller: Caller, _: NoQuery, asked: Body<Asked>) -> Answer {
    each::<DelayLease>(&app, &caller, asked.0).await
}

/// Has executions wait for their children; the same attempts resume under new leases when so
/// many of those have ended as is waited for, or can no longer.
#[utoipa::path(
    post, path = "/v1/leases/wait-children", tag = "leases",
    request_body = WaitChildrenOneOrMany,
    responses((status = 200, body = LeaseAnswer))
)]
pub async fn wait_children(
    app: State<App>,
    caller: Caller,
    _: NoQuery,
    asked: Body<Asked>,
) -> Answer {
    each::<WaitChildrenLease>(&app, &caller, asked.0).await
}

/// Returns executions: they are ready again immediately, for any worker.
///
/// For a worker that stops. Nothing is charged to their policies.
#[utoipa::path(
    post, path = "/v1/leases/release", tag = "leases",
    request_body = ReleaseOneOrMany,
    responses((status = 200, body = LeaseAnswer))
)]
pub async fn release(app: State<App>, caller: Caller, _: NoQuery, asked: Body<Asked>) -> Answer {
    each::<ReleaseLease>(&app, &caller, asked.0).await
}

/// Ends executions as cancelled, on behalf of their holder.
#[utoipa::path(
    post, path = "/v1/leases/cancel", tag = "leases",
    request_body = CancelOneOrMany,
    responses((status = 200, body = LeaseAnswer))
)]
pub async fn cancel(app: State<App>, caller: Caller, _: NoQuery, asked: Body<Asked>) -> Answer {
    each::<CancelLease>(&app, &caller, asked.0).await
}

/// Reports how far attempts are.
#[utoipa::path(
    post, path = "/v1/leases/progress", tag = "leases",
    request_body = ProgressOneOrMany,
    responses((status = 200, body = LeaseAnswer))
)]
pub async fn progress(app: State<App>, caller: Caller, _: NoQuery, asked: Body<Asked>) -> Answer {
    each::<ProgressLease>(&app, &caller, asked.0).await
}

/// Closes waitpoints that no suspension waits at: they take no more signals.
///
/// Succeeds again on one that its holder or an operator closed.
#[utoipa::path(
    post, path = "/v1/leases/waitpoints/close", tag = "leases",
    request_body = CloseWaitpointOneOrMany,
    responses((status = 200, body = LeaseAnswer))
)]
pub async fn close_waitpoint(
    app: State<App>,
    caller: Caller,
    _: NoQuery,
    asked: Body<Asked>,
) -> Answer {
    each::<CloseLeaseWaitpoint>(&app, &caller, asked.0).await
}

/// A verb about one lease.
trait LeaseVerb: DeserializeOwned + Send {
    /// Returns the handle of the lease.
    fn lease(&self) -> &str;

    /// Applies the verb under the fence of the lease.
    fn apply(
        self,
        engine: &Engine,
        fence: Fence,
    ) -> impl Future<Output = Result<LeaseOutcome, Problem>> + Send;
}

impl LeaseVerb for CompleteLease {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        let fields = PayloadFields::new(
            RESULT,
            &self.result,
            &self.result_text,
            &self.result_base64,
            &self.content_type,
        );
        let complete = Complete {
            fence,
            result: fields.read()?,
            report: report(self.log)?,
        };
        engine.complete(complete).await?;
        Ok(outcome(&fence, LeaseEffect::Completed))
    }
}

impl LeaseVerb for FailLease {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        let failed = engine.fail(Fail {
            fence,
            failure: Failure::new(self.class, &self.code, self.message),
            timed_out: false,
            report: report(self.log)?,
            known: None,
        });
        Ok(match failed.await? {
            Failed::Terminal => outcome(&fence, LeaseEffect::Failed),
            Failed::RetryScheduled { due_at, attempt } => LeaseOutcome {
                next_attempt_index: Some(attempt),
                ..due(&fence, LeaseEffect::RetryScheduled, due_at)
            },
        })
    }
}

impl LeaseVerb for DelayLease {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        let delay = Delay {
            fence,
            due: due_of(self.delay_ms, self.delay_until.as_deref())?,
            report: report(self.log)?,
        };
        let due_at = engine.delay(delay).await?;
        Ok(due(&fence, LeaseEffect::Delayed, due_at))
    }
}

impl LeaseVerb for WaitChildrenLease {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        let wait = wait_for(self.children.as_deref(), self.policy, self.dependency_kind)?;
        let report = report(self.log)?;
        engine.wait_children(fence, report, &wait).await?;
        Ok(outcome(&fence, LeaseEffect::WaitingChildren))
    }
}

impl LeaseVerb for CloseLeaseWaitpoint {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        let waitpoint = waitpoint_of(Some(self.waitpoint))?;
        engine.close_held_waitpoint(fence, waitpoint).await?;
        Ok(outcome(&fence, LeaseEffect::WaitpointClosed))
    }
}

impl LeaseVerb for ReleaseLease {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        engine.release(fence, report(self.log)?).await?;
        Ok(outcome(&fence, LeaseEffect::Released))
    }
}

impl LeaseVerb for CancelLease {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        let cancel = CancelHeld {
            fence,
            reason: self.reason,
            report: report(self.log)?,
        };
        engine.cancel_held(cancel).await?;
        Ok(outcome(&fence, LeaseEffect::Cancelled))
    }
}

impl LeaseVerb for ProgressLease {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        let progress = engine.progress(fence, self.percent, self.message);
        progress.await?;
        Ok(outcome(&fence, LeaseEffect::Noted))
    }
}

/// Tells a body about many leases from one about a single lease.
#[derive(Deserialize)]
struct Probe {
    leases: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    leases: Vec<Box<RawValue>>,
}

/// The items of a body, each of which is read by itself.
pub(super) enum Items<'a> {
    /// A body about a single lease.
    One(&'a [u8]),
    /// The items of a body about many.
    Many(Vec<Box<RawValue>>),
}

impl<'a> Items<'a> {
    /// Tells them apart.
    ///
    /// # Errors
    /// The body is neither, or has too many items.
    pub(super) fn read(asked: &'a Asked) -> Result<Self, Problem> {
        let asked = asked.get().as_bytes();
        let probe: Probe = body::parse(asked)?;
        if probe.leases.is_none() {
            return Ok(Self::One(asked));
        }
        let Many { leases } = body::parse(asked)?;
        at_most("leases", leases.len(), Limits::LEASES_MAX)?;
        Ok(Self::Many(leases))
    }
}

/// Applies a verb to the lease of a request, or to each of them.
async fn each<V: LeaseVerb>(app: &App, caller: &Caller, asked: Asked) -> Answer {
    let scope = caller.scope();
    let signer = app.engine.handle_signer().await?;
    match Items::read(&asked)? {
        Items::One(item) => {
            let outcome = one::<V>(&app.engine, signer, scope, item).await?;
            Ok(Json(LeaseAnswer::One(outcome)))
        }
        Items::Many(items) => {
            let verdicts = items
                .iter()
                .map(|item| one::<V>(&app.engine, signer, scope, item.get().as_bytes()));
            many(futures::future::join_all(verdicts).await)
        }
    }
}

async fn one<V: LeaseVerb>(
    engine: &Engine,
    signer: &HandleSigner,
    scope: &Scope,
    text: &[u8],
) -> Result<LeaseOutcome, Problem> {
    let verb: V = body::parse(text)?;
    let fence = held(signer, scope, verb.lease())?;
    verb.apply(engine, fence).await
}

/// Verifies a handle. That of a lease in a namespace where the caller may not act is as
/// invalid as any other.
pub fn held(signer: &HandleSigner, scope: &Scope, handle: &str) -> Result<Fence, Problem> {
    let held = signer.verify_lease(handle);
    let held = held.filter(|held| scope.holds(&held.namespace));
    Ok(held.ok_or_else(invalid_handle)?.fence)
}

/// Answers several requests.
pub(super) fn many(verdicts: Vec<Result<LeaseOutcome, Problem>>) -> Answer {
    let results = unless_unavailable(verdicts)?
        .into_iter()
        .map(|verdict| match verdict {
            Ok(outcome) => LeaseVerdict {
                status: 200,
                outcome: Some(outcome),
                problem: None,
            },
            Err(problem) => LeaseVerdict {
                status: problem.code.status().as_u16(),
                outcome: None,
                problem: serde_json::to_value(&problem).ok(),
            },
        })
        .collect();
    Ok(Json(LeaseAnswer::Many(LeaseVerdicts { results })))
}

/// Builds the outcome of a request without further facts.
pub(super) fn outcome(fence: &Fence, effect: LeaseEffect) -> LeaseOutcome {
    LeaseOutcome {
        id: fence.execution_id,
        outcome: effect,
        lease_expires_at: None,
        due_at: None,
        next_attempt_index: None,
        entry_id: None,
        frame_count: None,
        summary_version: None,
    }
}

fn due(fence: &Fence, effect: LeaseEffect, due_at: OffsetDateTime) -> LeaseOutcome {
    LeaseOutcome {
        due_at: Some(due_at),
        ..outcome(fence, effect)
    }
}

/// The answer to every handle that is not valid, regardless of what is wrong with it.
fn invalid_handle() -> Problem {
    Problem::new(
        Code::InvalidHandle,
        "the handle does not name a lease of this instance",
    )
}

/// Reads when a delayed execution becomes due, which is said in one of two ways.
pub fn due_of(delay_ms: Option<u64>, delay_until: Option<&str>) -> Result<Due, Invalid> {
    match (delay_ms, Moment::of_field("delay_until", delay_until)?) {
        (Some(ms), None) => Ok(Due::InMs(ms)),
        (None, Some(at)) => Ok(Due::At(at)),
        _ => Err(Invalid::new(
            "delay_ms",
            "give either delay_ms or delay_until",
        )),
    }
}

/// Reads what a worker reports with the end of a lease.
pub fn report(log: Option<String>) -> Result<Report, Invalid> {
    let max = Limits::LOG_BYTES_MAX;
    let log = match log {
        Some(log) if log.len() > max => {
            let detail = format!("{} bytes exceed the limit of {max}", log.len());
            return Err(Invalid::new("log", detail));
        }
        log => log.map(String::into_bytes),
    };
    Ok(Report {
        log,
        ..Report::default()
    })
}
