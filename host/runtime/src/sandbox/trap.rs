//! What an error of wasmtime says about an attempt: judged by its type, or by its text
//! where wasmtime gives a bound of its own no type.

use model::{FailureClass, Limits};
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace, WasmtimeBug};
use wasmtime_wasi::{I32Exit, ResourceTableError};

use super::{AttemptEnd, Phase, verdict};
use crate::attempt::Stop;
use crate::host::convert::outcome;
use crate::host::{HostFault, NoCurrentLease};
use crate::settings::LimitHit;

/// Judges an error of wasmtime. `stderr_tail` is what the guest wrote last to
/// standard error, which is where panics and uncaught exceptions are explained.
pub(crate) fn judge(error: &wasmtime::Error, phase: Phase, stderr_tail: &str) -> AttemptEnd {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return verdict::of_stop(*stop);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return AttemptEnd::NotOpened(error.to_string());
    }
    let (class, code, message) = explain(error, phase);
    let message = if stderr_tail.is_empty() {
        message
    } else {
        format!("{message}; standard error ends with:\n{stderr_tail}")
    };
    let mut failure = outcome::failed(class, code, message);
    failure.backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .filter(|backtrace| !backtrace.frames().is_empty())
        .map(|backtrace| outcome::text(backtrace.to_string(), Limits::BACKTRACE_BYTES_MAX));
    AttemptEnd::Failed(failure)
}

fn explain(error: &wasmtime::Error, phase: Phase) -> (FailureClass, &'static str, String) {
    use FailureClass::{InfraCrash, Permanent, Transient};
    if let Some(hit) = error.downcast_ref::<LimitHit>() {
        let code = match hit {
            LimitHit::HostFull { .. } => {
                return (InfraCrash, "host_memory_full", hit.to_string());
            }
            LimitHit::Memory { .. } | LimitHit::HostObjects { .. } | LimitHit::HostShare { .. } => {
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
    // What is left has no type in wasmtime: handles, pointers, texts and variants that
    // are not valid.
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

    fn failed(ended: AttemptEnd) -> (FailureClass, String, String) {
        match ended {
            AttemptEnd::Failed(failure) | AttemptEnd::TimedOut(failure) => {
                (failure.class, failure.code, failure.message)
            }
            other => panic!("{other:?} is not a failure"),
        }
    }

    #[test]
    fn errors_are_judged_by_their_type() {
        let failure = |e: wasmtime::Error| failed(judge(&e, Phase::Running, ""));
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
            let (found_class, found_code, message) = failure(e);
            assert_eq!(
                (found_class, found_code.as_str()),
                (class, code),
                "{message}"
            );
        }
    }

    #[test]
    fn an_attempt_without_a_lease_is_abandoned() {
        for stop in [Stop::LeaseLost, Stop::Cancelled] {
            assert_eq!(
                judge(&stop.into(), Phase::Running, ""),
                AttemptEnd::Abandoned(stop)
            );
        }
    }

    #[test]
    fn the_end_of_standard_error_is_part_of_the_message() {
        let trap = wasmtime::Error::from(Trap::UnreachableCodeReached);
        let (_, _, message) = failed(judge(&trap, Phase::Running, "panicked at src/lib.rs:7"));
        assert!(message.ends_with("panicked at src/lib.rs:7"), "{message}");
    }
}
