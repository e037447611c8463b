//! `/v1/leases/…`: what a program does with the leases it holds.
//!
//! The verbs are those of the interfaces `claim` and `complete`. A handle names
//! the lease and proves it; whether the lease still holds is decided by the
//! engine under its fence. A request is about one lease, or about up to 500 in
//! `leases`, each with a verdict of its own; those ride in one statement.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use engine::{CancelHeld, Complete, Delay, Engine, Fail, Failed, Report, Seals};
use model::{Failure, Fence, Invalid, Limits};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::api::{
    CancelLease, CompleteLease, DelayLease, FailLease, LeaseAnswer, LeaseEffect, LeaseOutcome,
    LeaseVerdict, LeaseVerdicts, OneOrMany, ProblemBody, ProgressLease, ReleaseLease, RenewLeases,
};
use crate::http::answer::Json;
use crate::http::payload::{Forms, RESULT};
use crate::http::problem::{Code, Problem};
use crate::http::query::Query;
use crate::http::{App, body};

/// Says that leases are still needed.
///
/// A lease that has lapsed is not renewed, even if nobody took over yet.
#[utoipa::path(
    post, path = "/v1/leases/renew", tag = "leases",
    request_body = RenewLeases,
    responses(
        (status = 200, body = LeaseAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn renew(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LeaseAnswer>, Problem> {
    query.end()?;
    let bytes = app.batch_body().read(&headers, body).await?;
    let request: RenewLeases = body::json(&headers, &bytes)?;
    crate::api::check_ttl(request.lease_ttl_ms)?;
    let ttl_ms = request.lease_ttl_ms;
    match (request.lease, request.leases) {
        (Some(lease), None) => {
            let verdict = renew_all(&app.engine, &[lease], ttl_ms).await?.pop();
            let verdict = verdict.unwrap_or_else(|| Err(no_verdict()));
            Ok(Json(LeaseAnswer::One(verdict?)))
        }
        (None, Some(leases)) => {
            check_count(leases.len())?;
            many(renew_all(&app.engine, &leases, ttl_ms).await?)
        }
        _ => Err(Invalid::new("lease", "give either lease or leases").into()),
    }
}

async fn renew_all(
    engine: &Engine,
    handles: &[String],
    ttl_ms: u32,
) -> Result<Vec<Result<LeaseOutcome, Problem>>, Problem> {
    let seals = engine.seals().await?;
    let fences: Vec<Option<Fence>> = handles
        .iter()
        .map(|handle| seals.open_lease(handle).map(|held| held.fence))
        .collect();
    let known: Vec<Fence> = fences.iter().copied().flatten().collect();
    let mut renewed = engine.renew(&known, ttl_ms).await?.into_iter();
    Ok(fences
        .into_iter()
        .map(|fence| {
            let fence = fence.ok_or_else(invalid_handle)?;
            let lease_expires_at = renewed.next().ok_or_else(no_verdict)??;
            Ok(LeaseOutcome {
                lease_expires_at: Some(lease_expires_at),
                ..outcome(&fence, LeaseEffect::Renewed)
            })
        })
        .collect())
}

/// Ends executions with success.
///
/// Repeated with the same result it succeeds again.
#[utoipa::path(
    post, path = "/v1/leases/complete", tag = "leases",
    request_body = OneOrMany<CompleteLease>,
    responses(
        (status = 200, body = LeaseAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn complete(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LeaseAnswer>, Problem> {
    query.end()?;
    each::<CompleteLease>(&app, &headers, body).await
}

/// Reports failures; the policy of each execution decides whether it is tried
/// again.
#[utoipa::path(
    post, path = "/v1/leases/fail", tag = "leases",
    request_body = OneOrMany<FailLease>,
    responses(
        (status = 200, body = LeaseAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn fail(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LeaseAnswer>, Problem> {
    query.end()?;
    each::<FailLease>(&app, &headers, body).await
}

/// Puts executions down until a time; the same attempts go on then, under new
/// leases.
#[utoipa::path(
    post, path = "/v1/leases/delay", tag = "leases",
    request_body = OneOrMany<DelayLease>,
    responses(
        (status = 200, body = LeaseAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn delay(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LeaseAnswer>, Problem> {
    query.end()?;
    each::<DelayLease>(&app, &headers, body).await
}

/// Gives executions back: they are ready at once, for any worker.
///
/// For a worker that ends. Nothing is charged to their policies.
#[utoipa::path(
    post, path = "/v1/leases/release", tag = "leases",
    request_body = OneOrMany<ReleaseLease>,
    responses(
        (status = 200, body = LeaseAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn release(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LeaseAnswer>, Problem> {
    query.end()?;
    each::<ReleaseLease>(&app, &headers, body).await
}

/// Ends executions as cancelled, on behalf of their holder.
#[utoipa::path(
    post, path = "/v1/leases/cancel", tag = "leases",
    request_body = OneOrMany<CancelLease>,
    responses(
        (status = 200, body = LeaseAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LeaseAnswer>, Problem> {
    query.end()?;
    each::<CancelLease>(&app, &headers, body).await
}

/// Says how far attempts are.
#[utoipa::path(
    post, path = "/v1/leases/progress", tag = "leases",
    request_body = OneOrMany<ProgressLease>,
    responses(
        (status = 200, body = LeaseAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn progress(
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LeaseAnswer>, Problem> {
    query.end()?;
    each::<ProgressLease>(&app, &headers, body).await
}

/// What can be asked about a lease.
trait Verb: DeserializeOwned + Send {
    /// Returns the handle.
    fn lease(&self) -> &str;

    /// Asks it.
    fn apply(
        self,
        engine: &Engine,
        fence: Fence,
    ) -> impl Future<Output = Result<LeaseOutcome, Problem>> + Send;
}

impl Verb for CompleteLease {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        let forms = Forms {
            names: RESULT,
            json: self.result.as_deref(),
            text: self.result_text.as_deref(),
            base64: self.result_base64.as_deref(),
            content_type: self.content_type.as_deref(),
        };
        let complete = Complete {
            fence,
            result: forms.read()?,
            report: report(self.log)?,
        };
        engine.complete(complete).await?;
        Ok(outcome(&fence, LeaseEffect::Completed))
    }
}

impl Verb for FailLease {
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

impl Verb for DelayLease {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        let delay = Delay {
            fence,
            delay_ms: self.delay_ms,
            report: report(self.log)?,
        };
        let due_at = engine.delay(delay).await?;
        Ok(due(&fence, LeaseEffect::Delayed, due_at))
    }
}

impl Verb for ReleaseLease {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        engine.release(fence, report(self.log)?).await?;
        Ok(outcome(&fence, LeaseEffect::Released))
    }
}

impl Verb for CancelLease {
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

impl Verb for ProgressLease {
    fn lease(&self) -> &str {
        &self.lease
    }

    async fn apply(self, engine: &Engine, fence: Fence) -> Result<LeaseOutcome, Problem> {
        engine.progress(fence, self.percent, self.message).await?;
        Ok(outcome(&fence, LeaseEffect::Noted))
    }
}

/// Tells whether a body is about many leases.
#[derive(Deserialize)]
struct Probe {
    leases: Option<serde::de::IgnoredAny>,
}

/// Items are read one by one, so that a malformed one is refused alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    leases: Vec<Box<RawValue>>,
}

/// Asks about the lease of a request, or about each of them.
async fn each<V: Verb>(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<Json<LeaseAnswer>, Problem> {
    let bytes = app.batch_body().read(headers, body).await?;
    let seals = app.engine.seals().await?;
    let probe: Probe = body::json(headers, &bytes)?;
    if probe.leases.is_none() {
        let done = one::<V>(&app.engine, seals, &bytes).await?;
        return Ok(Json(LeaseAnswer::One(done)));
    }
    let items: Many = body::parse(&bytes)?;
    check_count(items.leases.len())?;
    let verdicts = items
        .leases
        .iter()
        .map(|item| one::<V>(&app.engine, seals, item.get().as_bytes()));
    many(futures::future::join_all(verdicts).await)
}

async fn one<V: Verb>(
    engine: &Engine,
    seals: &Seals,
    text: &[u8],
) -> Result<LeaseOutcome, Problem> {
    let verb: V = body::parse(text)?;
    let held = seals.open_lease(verb.lease()).ok_or_else(invalid_handle)?;
    verb.apply(engine, held.fence).await
}

fn check_count(given: usize) -> Result<(), Invalid> {
    let max = Limits::LEASES_MAX;
    if given <= max {
        return Ok(());
    }
    let detail = format!("holds {given} items; at most {max} may be given");
    Err(Invalid::new("leases", detail))
}

/// Answers many. A dead database is a problem of the request, not of each item.
fn many(verdicts: Vec<Result<LeaseOutcome, Problem>>) -> Result<Json<LeaseAnswer>, Problem> {
    let unavailable = |verdict: &Result<_, Problem>| matches!(verdict, Err(problem) if problem.code == Code::Unavailable);
    if let Some(Err(problem)) = verdicts.first()
        && verdicts.iter().all(unavailable)
    {
        return Err(problem.clone());
    }
    let results = verdicts
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

fn outcome(fence: &Fence, effect: LeaseEffect) -> LeaseOutcome {
    LeaseOutcome {
        id: fence.execution_id,
        outcome: effect,
        lease_expires_at: None,
        due_at: None,
        next_attempt_index: None,
    }
}

fn due(fence: &Fence, effect: LeaseEffect, due_at: OffsetDateTime) -> LeaseOutcome {
    LeaseOutcome {
        due_at: Some(due_at),
        ..outcome(fence, effect)
    }
}

/// Whatever is wrong with a handle, the answer is the same.
pub fn invalid_handle() -> Problem {
    Problem::new(
        Code::InvalidHandle,
        "the handle names no lease that this instance gave out",
    )
}

fn no_verdict() -> Problem {
    Problem::new(Code::Internal, "the engine gave no verdict")
}

/// Reads what a worker says with the end of a lease.
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
