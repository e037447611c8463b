//! How an attempt ended, judged by the type of what stopped it; by its text only
//! where wasmtime gives a bound of its own no type.
//!
//! | what happened | code | class |
//! | --- | --- | --- |
//! | the guest reported a failure | as it said; `guest_failure` for a code that is none | as it said |
//! | it trapped, called `exit`, or passed on what is no handle, pointer, text or variant | `guest_trap` | transient |
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
//! service built up in its life is not the fault of one execution.

use engine::Payload;
use model::{EngineCode, Failure, FailureClass, Limits, Usage};
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace, WasmtimeBug};
use wasmtime_wasi::{I32Exit, ResourceTableError};

use crate::attempt::Stop;
use crate::bindings::flowhost::engine::types;
use crate::host::{HostFault, NoCurrentLease};
use crate::limits::LimitHit;
use crate::storable;
use crate::worker::ServiceStop;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// With a result to be recorded.
    Completed(Payload),
    /// With a failure to be recorded.
    Failed(Failure),
    /// Stopped because the time of the attempt was over.
    TimedOut(Failure),
    /// With an outcome the guest recorded itself.
    Recorded,
    /// Without the right to record anything.
    Abandoned(Stop),
    /// Before it began: no sandbox was free. The lease is given back.
    NotOpened(String),
}

impl Ended {
    /// Returns one word for counters: `completed`, `recorded`, or a code.
    pub fn word(&self) -> &str {
        match self {
            Self::Completed(_) => "completed",
            Self::Failed(failure) | Self::TimedOut(failure) => &failure.code,
            Self::Recorded => "recorded",
            Self::Abandoned(Stop::Cancelled) => "cancelled",
            Self::Abandoned(_) => "lease_lost",
            Self::NotOpened(_) => "not_opened",
        }
    }
}

/// How an attempt ended, what it used and what it said.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// How it ended.
    pub outcome: Ended,
    /// What it used.
    pub usage: Usage,
    /// Its log, if it has one.
    pub log: Option<Vec<u8>>,
}

/// How far an attempt came before an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its component was being instantiated.
    Opening,
    /// The guest ran.
    Running,
}

/// Judges what the guest returned.
pub(crate) fn returned(
    answer: Result<types::Outcome, types::Failure>,
    result_bytes_max: u32,
) -> Ended {
    match answer {
        Ok(types::Outcome::Completed(result)) => match storable::result(result, result_bytes_max) {
            Ok(result) => Ended::Completed(result),
            Err(failure) => Ended::Failed(failure),
        },
        Ok(types::Outcome::Recorded) => Ended::Failed(Failure::new(
            FailureClass::Permanent,
            "outcome_not_recorded",
            "the handler returned `recorded` without having ended the attempt through the interface `complete` or `suspend`",
        )),
        Err(failure) => Ended::Failed(storable::failure(failure)),
    }
}

/// Judges an order to stop.
pub(crate) fn stopped(stop: Stop) -> Ended {
    match stop {
        Stop::LeaseLost | Stop::Cancelled => Ended::Abandoned(stop),
        Stop::Overstayed => Ended::Recorded,
        Stop::AttemptTimeout => Ended::TimedOut(Failure::by_engine(
            EngineCode::AttemptTimeout,
            stop.to_string(),
        )),
        Stop::CpuLimit(_) => {
            let class = FailureClass::Timeout;
            Ended::Failed(Failure::new(class, "cpu_limit", stop.to_string()))
        }
    }
}

/// Judges how a service ended, which is the failure of what it still held.
pub(crate) fn served(
    answer: wasmtime::Result<Result<(), String>>,
    phase: Phase,
    stderr_tail: &str,
) -> Failure {
    let crash = |code, message| storable::failed(FailureClass::InfraCrash, code, message);
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
    match self::error(&error, phase, stderr_tail) {
        Ended::Failed(failure) => Failure {
            class: FailureClass::InfraCrash,
            ..failure
        },
        Ended::NotOpened(why) => crash("component_unavailable", why),
        other => crash("service_stopped", format!("{other:?}")),
    }
}

/// A service was told to end before there was room for its sandbox.
pub(crate) fn never_served() -> Failure {
    Failure::new(
        FailureClass::InfraCrash,
        "service_stopped",
        "the service was told to end before there was room for its sandbox",
    )
}

/// The host failed while a service ran.
pub(crate) fn host_fault(why: &str) -> Failure {
    tracing::error!(why, "the host failed while it ran a service");
    Failure::new(
        FailureClass::InfraCrash,
        "host_fault",
        "the host failed while it ran the service; the operator's log says why",
    )
}

/// Judges an error of wasmtime. `stderr_tail` is what the guest wrote last to
/// standard error, which is where panics and uncaught exceptions are explained.
pub(crate) fn error(error: &wasmtime::Error, phase: Phase, stderr_tail: &str) -> Ended {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return stopped(*stop);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Ended::NotOpened(error.to_string());
    }
    let (class, code, message) = explain(error, phase);
    let message = if stderr_tail.is_empty() {
        message
    } else {
        format!("{message}; standard error ends with:\n{stderr_tail}")
    };
    let mut failure = storable::failed(class, code, message);
    failure.backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .filter(|backtrace| !backtrace.frames().is_empty())
        .map(|backtrace| storable::text(backtrace.to_string(), Limits::BACKTRACE_BYTES_MAX));
    Ended::Failed(failure)
}

fn explain(error: &wasmtime::Error, phase: Phase) -> (FailureClass, &'static str, String) {
    use FailureClass::{InfraCrash, Permanent, Transient};
    if let Some(hit) = error.downcast_ref::<LimitHit>() {
        let code = match hit {
            LimitHit::HostFull { .. } => {
                return (InfraCrash, "host_memory_full", hit.to_string());
            }
            LimitHit::Memory { .. } | LimitHit::Kept { .. } | LimitHit::HostShare { .. } => {
                "memory_limit"
            }
            LimitHit::Tables { .. } => "table_limit",
            LimitHit::Handles { .. } => "handle_limit",
            LimitHit::HostCalls { .. } => "host_call_limit",
            LimitHit::Random { .. } => "random_limit",
        };
        return (Permanent, code, hit.to_string());
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return (Permanent, "handle_limit", TOO_MANY_HANDLES.to_owned());
    }
    if let Some(misuse) = error.downcast_ref::<NoCurrentLease>() {
        return (Transient, "guest_trap", misuse.to_string());
    }
    if let Some(fault) = error.downcast_ref::<HostFault>() {
        return (InfraCrash, "host_fault", fault.to_string());
    }
    if let Some(bug) = error.downcast_ref::<WasmtimeBug>() {
        return (InfraCrash, "host_fault", bug.to_string());
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::StackOverflow => (
                Permanent,
                "stack_overflow",
                "the guest called too deeply: its stack is full".to_owned(),
            ),
            trap => (Transient, "guest_trap", trap.to_string()),
        };
    }
    if let Some(I32Exit(status)) = error.downcast_ref() {
        let message = format!("the guest called exit({status}) instead of returning");
        return (Transient, "guest_trap", message);
    }
    let text = error.root_cause().to_string();
    // A call of the guest has the guest's frames with it; opening a component and
    // taking over what its function returned have not.
    let called = error.is::<WasmBacktrace>();
    if text.contains(TOO_MANY_BYTES) {
        let code = if called {
            "host_call_limit"
        } else {
            "result_too_large"
        };
        let message = "the guest passed more to the host in one call, or returned more, than it may (sandbox.host_call_bytes_max)";
        return (Permanent, code, message.to_owned());
    }
    if text.contains(TOO_MANY_LIVE_HANDLES) {
        return (Permanent, "handle_limit", TOO_MANY_HANDLES.to_owned());
    }
    if phase == Phase::Opening && !called {
        let message = format!("the component could not be instantiated: {text}");
        return (InfraCrash, "component_unavailable", message);
    }
    // What is left has no type in wasmtime: handles, pointers, texts and variants
    // that are none.
    let message = format!("the guest passed something to the host that it could not take: {text}");
    (Transient, "guest_trap", message)
}

const TOO_MANY_HANDLES: &str =
    "the guest wanted more resource handles at once than it may (sandbox.handles_max)";

/// How wasmtime words the two bounds that it checks itself and gives no public
/// type. Our own tables and setters are met before them by most guests;
/// `tests/guests/misuse.rs` meets both.
const TOO_MANY_BYTES: &str = "fuel allocated for hostcalls has been exhausted";
const TOO_MANY_LIVE_HANDLES: &str = "store handle limit exceeded";

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(ended: Ended) -> (FailureClass, String, String) {
        match ended {
            Ended::Failed(failure) | Ended::TimedOut(failure) => {
                (failure.class, failure.code, failure.message)
            }
            other => panic!("{other:?} is no failure"),
        }
    }

    #[test]
    fn errors_are_judged_by_their_type() {
        let judge = |e: wasmtime::Error| failed(error(&e, Phase::Running, ""));
        let cases = [
            (
                LimitHit::Memory { wanted: 2, max: 1 }.into(),
                FailureClass::Permanent,
                "memory_limit",
            ),
            (
                LimitHit::HostCalls { max: 1 }.into(),
                FailureClass::Permanent,
                "host_call_limit",
            ),
            (
                ResourceTableError::Full.into(),
                FailureClass::Permanent,
                "handle_limit",
            ),
            (Stop::CpuLimit(1).into(), FailureClass::Timeout, "cpu_limit"),
            (
                Stop::AttemptTimeout.into(),
                FailureClass::Timeout,
                "attempt_timeout",
            ),
            (
                Trap::StackOverflow.into(),
                FailureClass::Permanent,
                "stack_overflow",
            ),
            (
                Trap::UnreachableCodeReached.into(),
                FailureClass::Transient,
                "guest_trap",
            ),
            (I32Exit(3).into(), FailureClass::Transient, "guest_trap"),
            (
                wasmtime::Error::msg("?"),
                FailureClass::Transient,
                "guest_trap",
            ),
        ];
        for (e, class, code) in cases {
            let (found_class, found_code, message) = judge(e);
            assert_eq!(
                (found_class, found_code.as_str()),
                (class, code),
                "{message}"
            );
        }
    }

    #[test]
    fn whoever_has_no_lease_records_nothing() {
        for stop in [Stop::LeaseLost, Stop::Cancelled] {
            assert_eq!(
                error(&stop.into(), Phase::Running, ""),
                Ended::Abandoned(stop)
            );
        }
    }

    #[test]
    fn the_end_of_standard_error_is_part_of_the_message() {
        let trap = wasmtime::Error::from(Trap::UnreachableCodeReached);
        let (_, _, message) = failed(error(&trap, Phase::Running, "panicked at src/lib.rs:7"));
        assert!(message.ends_with("panicked at src/lib.rs:7"), "{message}");
    }

    #[test]
    fn a_result_is_measured_before_it_is_recorded() {
        let result = |bytes| {
            Ok(types::Outcome::Completed(types::Payload {
                content_type: String::new(),
                data: vec![0; bytes],
            }))
        };
        assert!(matches!(returned(result(4), 4), Ended::Completed(_)));
        assert_eq!(failed(returned(result(5), 4)).1, "result_too_large");
        assert_eq!(
            failed(returned(Ok(types::Outcome::Recorded), 4)).1,
            "outcome_not_recorded"
        );
    }
}
