//! How an attempt ended, judged by the type of what stopped it; by its text only
//! where wasmtime gives a bound of its own no type.
//!
//! | what happened | code | class |
//! | --- | --- | --- |
//! | the guest reported a failure | as it said; `guest_failure` for a code that is not valid | as it said |
//! | it trapped, called `exit`, or passed on something that is not a valid handle, pointer, text or variant | `guest_trap` | transient |
//! | its stack overflowed | `stack_overflow` | permanent |
//! | it ran into a bound | `memory_limit`, `table_limit`, `handle_limit`, `host_call_limit`, `random_limit`, `result_too_large` | permanent |
//! | its result or failure cannot be stored | `result_invalid`, `failure_invalid` | permanent, as it said |
//! | it computed or ran too long | `cpu_limit`, `attempt_timeout` | timeout |
//! | it said `recorded` without having recorded | `outcome_not_recorded` | permanent |
//! | the host failed | `host_fault` | infra_crash |
//! | other sandboxes held the memory it wanted | `host_memory_full` | infra_crash |
//! | the component could not be opened | `component_unavailable` | infra_crash |
//! | lease lost, execution cancelled | nothing is written | |
//!
//! A service that ends has failed what it still held: with the code above if it
//! trapped or ran into a bound, with `service_ended` if it returned, with
//! `service_stopped` if it was stopped. The class is always infra_crash: what a
//! service built up while it ran is not the fault of one execution.

use model::{EngineCode, Failure, FailureClass};

use super::{AttemptEnd, Phase, trap};
use crate::attempt::{ServiceStop, Stop};
use crate::host::bindings::flowhost::engine::types;
use crate::host::convert::outcome;

/// Judges what the guest returned.
pub(crate) fn of_return(
    answer: Result<types::Outcome, types::Failure>,
    result_bytes_max: u32,
) -> AttemptEnd {
    match answer {
        Ok(types::Outcome::Completed(result)) => match outcome::result(result, result_bytes_max) {
            Ok(result) => AttemptEnd::Completed(result),
            Err(failure) => AttemptEnd::Failed(failure),
        },
        Ok(types::Outcome::Recorded) => AttemptEnd::Failed(Failure::new(
            FailureClass::Permanent,
            "outcome_not_recorded",
            "the handler returned `recorded` without having ended the attempt through the interface `complete` or `suspend`",
        )),
        Err(failure) => AttemptEnd::Failed(outcome::failure(failure)),
    }
}

/// Judges an attempt that was stopped.
pub(crate) fn of_stop(stop: Stop) -> AttemptEnd {
    match stop {
        Stop::LeaseLost | Stop::Cancelled => AttemptEnd::Abandoned(stop),
        Stop::GraceExpired => AttemptEnd::Recorded,
        Stop::AttemptTimeout => AttemptEnd::TimedOut(Failure::by_engine(
            EngineCode::AttemptTimeout,
            stop.to_string(),
        )),
        Stop::CpuLimit(_) => {
            let class = FailureClass::Timeout;
            AttemptEnd::Failed(Failure::new(class, "cpu_limit", stop.to_string()))
        }
    }
}

/// Judges how a service ended, which is the failure of what it still held.
pub(crate) fn of_service(
    answer: wasmtime::Result<Result<(), String>>,
    phase: Phase,
    stderr_tail: &str,
) -> Failure {
    let crash = |code, message| outcome::failed(FailureClass::InfraCrash, code, message);
    let error = match answer {
        Ok(Ok(())) => return crash("service_ended", "the service returned".to_owned()),
        Ok(Err(text)) => {
            return crash(
                "service_ended",
                format!("the service returned an error: {text}"),
            );
        }
        Err(error) => error,
    };
    if let Some(stop) = error.downcast_ref::<ServiceStop>() {
        let code = match stop {
            ServiceStop::CpuLimit(_) => "cpu_limit",
            _ => "service_stopped",
        };
        return crash(code, stop.to_string());
    }
    match trap::judge(&error, phase, stderr_tail) {
        AttemptEnd::Failed(failure) => Failure {
            class: FailureClass::InfraCrash,
            ..failure
        },
        AttemptEnd::NotOpened(why) => crash("component_unavailable", why),
        other => crash("service_stopped", format!("{other:?}")),
    }
}

/// Builds the failure of a service that was told to end while it waited for its sandbox.
pub(crate) fn service_not_opened() -> Failure {
    Failure::new(
        FailureClass::InfraCrash,
        "service_stopped",
        "the service was told to end before there was room for its sandbox",
    )
}

/// Builds the failure of a service that ended because the host failed.
pub(crate) fn host_fault(why: &str) -> Failure {
    tracing::error!(why, "the host failed while it ran a service");
    Failure::new(
        FailureClass::InfraCrash,
        "host_fault",
        "the host failed while it ran the service; the operator's log says why",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(end: AttemptEnd) -> String {
        match end {
            AttemptEnd::Failed(failure) => failure.code,
            other => panic!("{other:?} is not a failure"),
        }
    }

    #[test]
    fn a_result_is_measured_before_it_is_recorded() {
        let result = |bytes| {
            Ok(types::Outcome::Completed(types::Payload {
                content_type: String::new(),
                data: vec![0; bytes],
            }))
        };
        assert!(matches!(of_return(result(4), 4), AttemptEnd::Completed(_)));
        assert_eq!(code(of_return(result(5), 4)), "result_too_large");
        assert_eq!(
            code(of_return(Ok(types::Outcome::Recorded), 4)),
            "outcome_not_recorded"
        );
    }
}
