//! Waits for a call of another system, a webhook, and returns its body.
//!
//! Input: JSON such as `{"order": "A-17"}`, with `"timeout_s"` (one hour without
//! it). The URL to call is created before the handler suspends: here it is published
//! as progress and in the log, where a handler with a network would send it to the
//! payment provider along with the order. A call received before the handler
//! suspends is kept. Result: the body of the call, or, if none came in time, JSON
//! such as `{"order": "A-17", "came": false}`.
//!
//! Anyone who knows the URL may call it, so publish it to its intended caller only.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::{self, Lease, LeaseError};
use flowhost::engine::log::{Level, log};
use flowhost::engine::suspend::{
    self, Binding, Condition, Matcher, Reason, Request, ResumeReason, Resumption, Single,
    SuspendError, Suspended, TimeoutBehavior,
};
use flowhost::engine::types::{FailureClass, Payload};
use serde::{Deserialize, Serialize};

const WAITPOINT: &str = "webhook";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    order: String,
    #[serde(default = "an_hour")]
    timeout_s: u32,
}

#[derive(Serialize)]
struct NothingCame {
    order: String,
    came: bool,
}

struct Callback;

impl Guest for Callback {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let payment: Payment =
            serde_json::from_slice(&task.input.data).map_err(|error| bad_input(&error))?;
        let lease = claim::current();
        let resumption = match suspend::resumed(&lease) {
            Some(resumption) => resumption,
            None => match wait(&lease, &payment).map_err(not_suspended)? {
                Suspended::Suspended(_) => return Ok(Outcome::Recorded),
                Suspended::AlreadySatisfied(satisfied) => satisfied.resumption,
            },
        };
        Ok(Outcome::Completed(answer(payment, resumption)))
    }
}

/// Creates the URL, publishes it, and suspends until it is called.
fn wait(lease: &Lease, payment: &Payment) -> Result<Suspended, SuspendError> {
    let timeout_ms = u64::from(payment.timeout_s) * 1000;
    // A repeated attempt gets the same waitpoint, with the signals it has received.
    let waitpoint = suspend::create_waitpoint(lease, WAITPOINT, Some(timeout_ms), &[])?;
    let message = format!(
        "order {} waits for {}",
        payment.order, waitpoint.callback_url
    );
    log(Level::Info, &message);
    lease
        .progress(None, Some(&message))
        .map_err(SuspendError::Lease)?;

    let wait = Request::new(&[Condition::Single(Single {
        waitpoint_key: WAITPOINT.into(),
        matcher: Matcher::Wildcard,
    })]);
    wait.add_waitpoint(&Binding::UsePending(waitpoint.id));
    wait.set_reason(Reason::WaitingForCallback);
    wait.set_timeout_ms(timeout_ms);
    wait.set_timeout_behavior(TimeoutBehavior::AutoResumeWithTimeoutSignal);
    wait.suspend(lease, None)
}

/// Returns the body of the call; a resumption at the time limit has no signals.
fn answer(payment: Payment, resumption: Resumption) -> Payload {
    if resumption.reason != ResumeReason::Satisfied {
        log(
            Level::Warn,
            &format!("nothing came: {:?}", resumption.reason),
        );
    }
    match resumption.signals.into_iter().next() {
        Some(signal) => signal.payload.unwrap_or(Payload {
            content_type: String::new(),
            data: Vec::new(),
        }),
        None => Payload {
            content_type: "application/json".into(),
            data: serde_json::to_vec(&NothingCame {
                order: payment.order,
                came: false,
            })
            .expect("it holds nothing JSON lacks"),
        },
    }
}

fn an_hour() -> u32 {
    3600
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

export!(Callback);
