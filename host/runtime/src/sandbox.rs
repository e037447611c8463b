//! Runs a guest in a fresh sandbox: a handler for one attempt, a service for as
//! long as it likes.
//!
//! A sandbox is a store of its own with nothing of an earlier one in it. One
//! deadline bounds a handler's instantiation, call and everything it waits for:
//! an epoch callback stops guests that compute, and the same question asked
//! asynchronously stops guests that wait in the host. A service is stopped the
//! same two ways when it is told to. Ticks also make a guest yield, so that none
//! keeps a thread for itself.

use std::pin::pin;
use std::sync::Arc;

use model::Limits;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use crate::attempt::{Attempt, Stop};
use crate::bindings::HandlerPre;
use crate::bindings::flowhost::engine::types::{Failure, Outcome};
use crate::bindings::worker::WorkerPre;
use crate::cpu_meter::Metered;
use crate::held::{Held, Spent};
use crate::host::{HostSide, Role, State};
use crate::limits::SandboxLimits;
use crate::room::Seat;
use crate::verdict::{self, Ended, Phase, Verdict};
use crate::worker::{Service, ServiceStop};

/// What a sandbox is opened with.
pub(crate) struct Opening {
    /// What the guest's calls reach.
    pub(crate) side: HostSide,
    /// What it may use.
    pub(crate) limits: SandboxLimits,
    /// Bounds of the instance: on inputs and results.
    pub(crate) instance_limits: Limits,
    /// Its part of the host.
    pub(crate) seat: Arc<Seat>,
}

/// Opens a sandbox, calls the handler once and drops the sandbox.
///
/// Must be polled on a tokio runtime. Dropping the future stops the guest.
pub(crate) async fn run(handler: &HandlerPre<State>, held: Arc<Held>, opening: Opening) -> Verdict {
    let attempt = held.attempt.clone();
    // Before the store, so that it is given back after what it is for.
    let _seat = opening.seat.clone();
    let mut store = open(handler.engine(), Role::Handler(held.clone()), opening);
    let mut phase = Phase::Opening;
    let answer = {
        let call = pin!(async {
            store.data_mut().charge_task()?;
            let handler = handler.instantiate_async(&mut store).await?;
            phase = Phase::Running;
            handler
                .flowhost_engine_attempt()
                .call_run(&mut store, &held.task)
                .await
        });
        let call = Metered {
            call,
            cpu: &attempt.cpu,
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
    Verdict {
        usage: held.usage(&store.data().spent()),
        log: held.log_snapshot(),
        outcome,
    }
}

type Answer = wasmtime::Result<Result<Outcome, Failure>>;

fn judge(answer: Result<Answer, Stop>, phase: Phase, attempt: &Attempt, state: &State) -> Ended {
    match answer {
        // A guest that returned in its last moment may have lost its lease.
        Ok(Ok(_)) if attempt.due() == Some(Stop::LeaseLost) => Ended::Abandoned(Stop::LeaseLost),
        Ok(Ok(answer)) => verdict::returned(answer, state.instance_limits.result_bytes_max),
        Ok(Err(error)) => {
            let said = attempt.with_log(|log, _| log.stderr_tail());
            verdict::error(&error, phase, &said)
        }
        Err(stop) => verdict::stopped(stop),
    }
}

/// How one life of a service ended, and what it used.
pub(crate) struct Life {
    pub(crate) answer: wasmtime::Result<Result<(), String>>,
    pub(crate) phase: Phase,
    pub(crate) spent: Spent,
}

/// Opens a sandbox, has the service serve and drops the sandbox.
///
/// Must be polled on a tokio runtime. Dropping the future stops the guest.
pub(crate) async fn serve(
    component: &WorkerPre<State>,
    service: &Arc<Service>,
    opening: Opening,
) -> Life {
    // Before the store, so that it is given back after what it is for.
    let _seat = opening.seat.clone();
    let mut store = open(component.engine(), Role::Service(service.clone()), opening);
    let mut phase = Phase::Opening;
    let answer = {
        let call = pin!(async {
            let guest = component.instantiate_async(&mut store).await?;
            phase = Phase::Running;
            guest.flowhost_engine_service().call_serve(&mut store).await
        });
        let call = Metered {
            call,
            cpu: &service.cpu,
        };
        tokio::select! {
            biased;
            answer = call => answer,
            stop = service.stopped() => Err(stop.into()),
        }
    };
    Life {
        answer,
        phase,
        spent: store.data().spent(),
    }
}

fn open(engine: &wasmtime::Engine, role: Role, opening: Opening) -> Store<State> {
    let limits = opening.limits;
    let mut state = State::new(role, opening.side, limits, opening.instance_limits);
    state.meter.draw_from(opening.seat);
    let mut store = Store::new(engine, state);
    // A guest that wants memory of which the host has none waits without a thread.
    store.limiter_async(|state| &mut state.meter);
    store.set_hostcall_fuel(limits.host_call_bytes_max as usize);
    // As many as the engine's handles and WASI's may be together, so that running
    // out of them is met in those tables first, where it has a type.
    store.set_max_component_handles(limits.handles_max as usize * 2);
    // Armed before instantiation, which may run code of the guest.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(on_tick);
    store
}

/// Decides at each tick whether the guest goes on.
fn on_tick(store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let state = store.data();
    match &state.role {
        Role::Handler(held) => handler_goes_on(&held.attempt, state.limits.cpu_ms_max)?,
        Role::Service(service) => service_goes_on(service)?,
    }
    Ok(UpdateDeadline::YieldCustom(
        1,
        Box::pin(tokio::task::yield_now()),
    ))
}

/// Lease and cancellation first, then the deadline, then the allowance of
/// processor time.
fn handler_goes_on(attempt: &Attempt, cpu_ms_max: u32) -> Result<(), Stop> {
    if let Some(stop) = attempt.due() {
        return Err(stop);
    }
    if attempt.cpu.used_us() > u64::from(cpu_ms_max) * 1000 {
        return Err(Stop::CpuLimit(cpu_ms_max));
    }
    Ok(())
}

fn service_goes_on(service: &Service) -> Result<(), ServiceStop> {
    service.due().map_or(Ok(()), Err)
}
