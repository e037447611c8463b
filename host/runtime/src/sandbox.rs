//! Runs one attempt in a fresh sandbox.
//!
//! A sandbox is a store of its own with nothing of an earlier one in it. One
//! deadline bounds instantiation, call and everything the guest waits for: an
//! epoch callback stops guests that compute, and the same question asked
//! asynchronously stops guests that wait in the host. Ticks also make a guest
//! yield, so that none keeps a thread for itself.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use crate::attempt::{Attempt, Stop};
use crate::bindings::flowhost::engine::types::Task;
use crate::host::{HostSide, State};
use crate::limits::SandboxLimits;
use crate::registry::Loaded;
use crate::verdict::{self, Ended, Phase, Verdict};

/// What a sandbox is opened with.
pub(crate) struct Opening {
    /// What the handler is asked to do.
    pub(crate) task: Task,
    /// The attempt, shared with whoever keeps its lease.
    pub(crate) attempt: Arc<Attempt>,
    /// What the guest's calls reach.
    pub(crate) side: HostSide,
    /// What it may use.
    pub(crate) limits: SandboxLimits,
    /// Most bytes of a result.
    pub(crate) result_bytes_max: u32,
    /// Whether the execution's policy limits the attempt.
    pub(crate) attempt_limited: bool,
}

/// Opens a sandbox, calls the handler once and drops the sandbox.
///
/// Must be polled on a tokio runtime. Dropping the future stops the guest.
pub(crate) async fn run(loaded: &Loaded, opening: Opening) -> Verdict {
    let attempt = opening.attempt.clone();
    let mut store = open(loaded, opening);
    let mut phase = Phase::Opening;
    let answer = {
        let task = store.data().task.clone();
        let call = pin!(async {
            let handler = loaded.pre.instantiate_async(&mut store).await?;
            phase = Phase::Running;
            handler
                .flowhost_engine_attempt()
                .call_run(&mut store, &task)
                .await
        });
        let call = Metered {
            call,
            attempt: &attempt,
        };
        tokio::select! {
            biased;
            answer = call => Ok(answer),
            stop = attempt.stopped() => Err(stop),
        }
    };
    let outcome = if attempt.is_recorded() {
        Ended::Recorded
    } else {
        judge(answer, phase, &attempt, store.data())
    };
    if let Ended::Completed(result) = &outcome {
        store.data_mut().count_result(result.data.len());
    }
    let state = store.data();
    Verdict {
        usage: state.usage(),
        log: state.log_snapshot(),
        outcome,
    }
}

type Answer = wasmtime::Result<
    Result<
        crate::bindings::flowhost::engine::types::Outcome,
        crate::bindings::flowhost::engine::types::Failure,
    >,
>;

fn judge(answer: Result<Answer, Stop>, phase: Phase, attempt: &Attempt, state: &State) -> Ended {
    match answer {
        // A guest that returned in its last moment may have lost its lease.
        Ok(Ok(_)) if attempt.due() == Some(Stop::LeaseLost) => Ended::Abandoned(Stop::LeaseLost),
        Ok(Ok(answer)) => verdict::returned(answer, state.result_bytes_max),
        Ok(Err(error)) => {
            let log = attempt.log.lock().unwrap_or_else(PoisonError::into_inner);
            verdict::error(&error, phase, &log.stderr_tail())
        }
        Err(stop) => verdict::stopped(stop),
    }
}

fn open(loaded: &Loaded, opening: Opening) -> Store<State> {
    let limits = opening.limits;
    let state = State::new(
        opening.attempt,
        Arc::new(opening.task),
        opening.side,
        limits,
        opening.result_bytes_max,
        opening.attempt_limited,
    );
    let mut store = Store::new(loaded.pre.engine(), state);
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(limits.host_call_bytes_max as usize);
    // Twice as many as the host's own table holds, so that running out of
    // handles is met there first, where it has a type.
    store.set_max_component_handles(limits.handles_max as usize * 2);
    // Armed before instantiation, which may run code of the guest.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(on_tick);
    store
}

/// Decides at each tick whether the guest goes on: lease and cancellation
/// first, then the deadline, then the allowance of processor time.
fn on_tick(store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let state = store.data();
    if let Some(stop) = state.attempt.due() {
        return Err(stop.into());
    }
    let cpu_ms_max = state.limits.cpu_ms_max;
    if state.attempt.cpu_us() > u64::from(cpu_ms_max) * 1000 {
        return Err(Stop::CpuLimit(cpu_ms_max).into());
    }
    Ok(UpdateDeadline::YieldCustom(
        1,
        Box::pin(tokio::task::yield_now()),
    ))
}

/// A future whose time on the processor is charged to an attempt.
///
/// Counting ticks instead would charge a guest for the ticks that passed while
/// it waited in the host.
struct Metered<'a, F> {
    call: Pin<&'a mut F>,
    attempt: &'a Attempt,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.attempt.on_cpu();
        let answer = self.call.as_mut().poll(context);
        self.attempt.off_cpu();
        answer
    }
}
