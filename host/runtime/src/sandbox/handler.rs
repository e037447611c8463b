//! Runs a handler for one attempt.

use std::sync::Arc;

use super::setup::{call, open};
use super::{AttemptEnd, Phase, SandboxSetup, Verdict, trap, verdict};
use crate::attempt::{Attempt, Stop};
use crate::host::bindings::HandlerPre;
use crate::host::bindings::flowhost::engine::types::{Failure, Outcome};
use crate::host::{HeldLease, Role, State};

/// Opens a sandbox, calls the handler once and drops the sandbox.
///
/// Must be polled on a tokio runtime. Dropping the future stops the guest.
pub(crate) async fn run(
    handler: &HandlerPre<State>,
    held: Arc<HeldLease>,
    setup: SandboxSetup,
) -> Verdict {
    let attempt = held.attempt.clone();
    // Declared before the store, so that it is returned after the store was dropped.
    let _reservation = setup.reservation.clone();
    let mut store = open(handler.engine(), Role::Handler(held.clone()), setup);
    let mut phase = Phase::Opening;
    let run = async {
        store.data_mut().charge_task()?;
        let handler = handler.instantiate_async(&mut store).await?;
        phase = Phase::Running;
        handler
            .flowhost_engine_attempt()
            .call_run(&mut store, &held.task)
            .await
    };
    let answer = call(run, &attempt.cpu, attempt.stopped()).await;
    let outcome = if attempt.is_recorded() {
        AttemptEnd::Recorded
    } else {
        judge(answer, phase, &attempt, store.data())
    };
    if let AttemptEnd::Completed(result) = &outcome {
        store.data_mut().count_result(result.data.len());
    }
    Verdict {
        usage: held.usage(&store.data().used()),
        log: held.log_snapshot(),
        outcome,
    }
}

type Answer = wasmtime::Result<Result<Outcome, Failure>>;

fn judge(
    answer: Result<Answer, Stop>,
    phase: Phase,
    attempt: &Attempt,
    state: &State,
) -> AttemptEnd {
    match answer {
        // A guest that returned in its last moment may have lost its lease.
        Ok(Ok(_)) if attempt.due() == Some(Stop::LeaseLost) => {
            AttemptEnd::Abandoned(Stop::LeaseLost)
        }
        Ok(Ok(answer)) => verdict::of_return(answer, state.instance_limits.result_bytes_max),
        Ok(Err(error)) => {
            let stderr = attempt.with_log(|log, _| log.stderr_tail());
            trap::judge(&error, phase, &stderr)
        }
        Err(stop) => verdict::of_stop(stop),
    }
}
