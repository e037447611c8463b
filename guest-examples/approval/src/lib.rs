//! Waits until two different people have approved a deployment.
//!
//! Input: JSON such as `{"service": "payments", "version": "1.4.2"}`, with
//! `"timeout_s"` (24 hours without it), after which operators are asked for a review;
//! the execution stays suspended. Each approval is a signal `approved` at the
//! waitpoint `approval`; one person who approves twice counts once. Result: JSON
//! with who approved and how long it took. An operator may resume without the
//! approvals, and the result says so.
//!
//! While it waits there is no sandbox and no lease, only database rows. The handler
//! is called twice: the first call suspends, the second one continues.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

use std::time::{SystemTime, UNIX_EPOCH};

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::{self, Lease, LeaseError};
use flowhost::engine::suspend::{
    self, Condition, Count, CountKind, Matcher, Reason, Request, ResumeReason, Resumption,
    SuspendError, Suspended, TimeoutBehavior,
};
use flowhost::engine::types::{FailureClass, Payload};
use serde::{Deserialize, Serialize};

const APPROVALS: u32 = 2;
const DAY_S: u32 = 24 * 3600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deployment {
    service: String,
    version: String,
    #[serde(default = "a_day")]
    timeout_s: u32,
}

/// The state that the first call saves for the second.
#[derive(Serialize, Deserialize)]
struct Asked {
    at_ms: f64,
}

#[derive(Serialize)]
struct Decision {
    service: String,
    version: String,
    decided_by: &'static str,
    approvers: Vec<String>,
    took_s: f64,
}

struct Approval;

impl Guest for Approval {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let deployment: Deployment =
            serde_json::from_slice(&task.input.data).map_err(|error| bad_input(&error))?;
        let lease = claim::current();
        match suspend::resumed(&lease) {
            Some(resumption) => go_on(deployment, &resumption),
            None => match ask(&lease, &deployment)? {
                Suspended::Suspended(_) => Ok(Outcome::Recorded),
                Suspended::AlreadySatisfied(satisfied) => go_on(deployment, &satisfied.resumption),
            },
        }
    }
}

/// The first call: suspends until two people have approved.
fn ask(lease: &Lease, deployment: &Deployment) -> Result<Suspended, Failure> {
    let Deployment {
        service, version, ..
    } = deployment;
    let message = format!("{service} {version} waits for {APPROVALS} approvals");
    // Informs people; the suspension does not depend on it.
    let _ = lease.progress(None, Some(&message));

    let wait = Request::new(&[Condition::Count(Count {
        n: APPROVALS,
        kind: CountKind::DistinctSources,
        matcher: Some(Matcher::ByName("approved".into())),
        waitpoints: vec!["approval".into()],
    })]);
    wait.set_reason(Reason::WaitingForApproval);
    wait.set_timeout_ms(u64::from(deployment.timeout_s) * 1000);
    wait.set_timeout_behavior(TimeoutBehavior::Escalate);
    let state = json(&Asked { at_ms: now_ms() });
    wait.suspend(lease, Some(&state)).map_err(not_suspended)
}

/// The second call: says who decided.
fn go_on(deployment: Deployment, resumption: &Resumption) -> Result<Outcome, Failure> {
    let decided_by = match resumption.reason {
        ResumeReason::Satisfied => "approvers",
        ResumeReason::OperatorResume => "operator",
        // This handler escalates at its time limit, so another setting was in force.
        ResumeReason::TimedOutAutoResume => {
            return Err(Failure {
                class: FailureClass::Permanent,
                code: "not_approved".into(),
                message: "no one decided in time".into(),
            });
        }
    };
    let mut approvers: Vec<String> = Vec::new();
    for signal in &resumption.signals {
        if !approvers.contains(&signal.source_identity) {
            approvers.push(signal.source_identity.clone());
        }
    }
    let asked: Option<Asked> = resumption
        .state
        .as_ref()
        .and_then(|state| serde_json::from_slice(&state.data).ok());
    let took_ms = asked.map_or(0.0, |asked| resumption.closed_at - asked.at_ms);
    Ok(Outcome::Completed(json(&Decision {
        service: deployment.service,
        version: deployment.version,
        decided_by,
        approvers,
        took_s: took_ms.max(0.0) / 1000.0,
    })))
}

fn json(value: &impl Serialize) -> Payload {
    Payload {
        content_type: "application/json".into(),
        data: serde_json::to_vec(value).expect("it holds nothing JSON lacks"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a guest has no other clock; compared with the database's it tells seconds"
)]
fn now_ms() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_millis() as f64)
}

fn a_day() -> u32 {
    DAY_S
}

/// Only a fault of the engine that passes is worth another attempt.
fn not_suspended(error: SuspendError) -> Failure {
    let (class, code) = match error {
        SuspendError::Lease(LeaseError::Unavailable(_)) => {
            (FailureClass::Transient, "engine_unavailable")
        }
        _ => (FailureClass::Permanent, "not_suspended"),
    };
    Failure {
        class,
        code: code.into(),
        message: error.to_string(),
    }
}

fn bad_input(error: &serde_json::Error) -> Failure {
    Failure {
        class: FailureClass::Permanent,
        code: "bad_input".into(),
        message: error.to_string(),
    }
}

export!(Approval);
