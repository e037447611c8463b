//! Opens a sandbox, and interrupts its guest at each tick.

use std::pin::pin;
use std::sync::Arc;

use model::Limits;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use crate::attempt::{Attempt, CpuMeter, Metered, SHORT, Stop, to_background};
use crate::host::{Backend, Role, State};
use crate::memory::Reservation;
use crate::settings::SandboxLimits;

/// What a sandbox is opened with.
pub(crate) struct SandboxSetup {
    /// The engine, or what takes its place.
    pub(crate) backend: Backend,
    /// Limits of the sandbox.
    pub(crate) limits: SandboxLimits,
    /// Limits of the instance: on inputs and results.
    pub(crate) instance_limits: Limits,
    /// Its part of the budget of the host.
    pub(crate) reservation: Arc<Reservation>,
}

pub(super) fn open(engine: &wasmtime::Engine, role: Role, setup: SandboxSetup) -> Store<State> {
    let limits = setup.limits;
    let mut state = State::new(role, setup.backend, limits, setup.instance_limits);
    state.meter.draw_from(setup.reservation);
    let mut store = Store::new(engine, state);
    // A guest that wants memory of an exhausted budget waits without blocking a thread.
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

/// Runs a call of a guest, whose processor time is charged to `cpu`, until it returns or
/// the guest must stop.
pub(super) async fn call<T, S>(
    call: impl Future<Output = T>,
    cpu: &CpuMeter,
    stopped: impl Future<Output = S>,
) -> Result<T, S> {
    let call = pin!(call);
    let metered = Metered { call, cpu };
    tokio::select! {
        biased;
        answer = metered => Ok(answer),
        stop = stopped => Err(stop),
    }
}

/// Decides at each tick whether the guest continues, and where.
fn on_tick(store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let state = store.data();
    let computed_us = match &state.role {
        Role::Handler(held) => {
            check_handler(&held.attempt, state.limits.cpu_ms_max)?;
            held.attempt.cpu.used_us()
        }
        Role::Service(service) => {
            service.due().map_or(Ok(()), Err)?;
            service.computed_us()
        }
    };
    if u128::from(computed_us) < SHORT.as_micros() {
        return Ok(UpdateDeadline::Continue(1));
    }
    Ok(UpdateDeadline::YieldCustom(1, Box::pin(to_background())))
}

/// Lease and cancellation first, then the deadline, then the allowance of
/// processor time.
fn check_handler(attempt: &Attempt, cpu_ms_max: u32) -> Result<(), Stop> {
    if let Some(stop) = attempt.due() {
        return Err(stop);
    }
    if attempt.cpu.used_us() > u64::from(cpu_ms_max) * 1000 {
        return Err(Stop::CpuLimit(cpu_ms_max));
    }
    Ok(())
}
