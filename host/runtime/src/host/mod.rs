//! The host's half of `wit/`: one file per interface, and the state of a store
//! they share.
//!
//! Who the guest acts as comes from the store alone. Each call counts against
//! [`SandboxLimits::host_calls_max`], and whatever is kept for the guest against
//! its memory (`handles.rs`); what waits for the database does so on the main
//! runtime, so that guests cannot keep each other's answers waiting.

mod bounds;
mod claim;
mod complete;
mod condition;
mod executions;
mod handles;
mod local;
mod log;
mod role;
mod side;
mod signal;
mod suspend;
mod wasi;

use std::time::{Duration, Instant};

use model::Limits;
use wasmtime::component::{HasSelf, Linker, Resource};

use crate::bindings::Handler;
use crate::bindings::flowhost::engine::types;
use crate::held::Spent;
use crate::limits::{LimitHit, Meter, SandboxLimits};

pub use claim::LeaseHandle;
pub(crate) use claim::NoCurrentLease;
pub use executions::Request;
use handles::{Handles, Kept};
pub(crate) use handles::{payload_bytes, text_bytes};
pub(crate) use role::Role;
pub(crate) use side::HostFault;
pub use side::{EngineSide, HostSide};
pub use signal::Signal;
pub use suspend::SuspendRequest;

/// How often a service's calls are counted anew without a lease taken or ended.
const CALLS_WINDOW: Duration = Duration::from_secs(60);

/// Everything a store holds besides the guest.
pub(crate) struct State {
    pub(crate) role: Role,
    pub(crate) side: HostSide,
    pub(crate) limits: SandboxLimits,
    pub(crate) instance_limits: Limits,
    pub(crate) meter: Meter,
    opened: Instant,
    host_calls: u64,
    bytes_out: u64,
    counted: Counted,
    local: local::LocalWaitpoints,
    handles: Handles,
    wasi: wasi::Wasi,
}

/// The calls that count against the bound.
struct Counted {
    calls: u32,
    since: Instant,
    /// The turn of the service they were made in.
    turn: u64,
}

impl State {
    pub(crate) fn new(
        role: Role,
        side: HostSide,
        limits: SandboxLimits,
        instance_limits: Limits,
    ) -> Self {
        let opened = Instant::now();
        Self {
            handles: Handles::new(limits.handles_max),
            wasi: wasi::Wasi::new(&role, &limits),
            role,
            side,
            limits,
            instance_limits,
            meter: Meter::new(limits),
            opened,
            host_calls: 0,
            bytes_out: 0,
            counted: Counted {
                calls: 0,
                since: opened,
                turn: 0,
            },
            local: local::LocalWaitpoints::default(),
        }
    }

    /// Counts one call into the host that brings `bytes`.
    fn called(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.bytes_out += bytes as u64;
        self.host_calls += 1;
        if let Role::Service(service) = &self.role {
            let turn = service.turn();
            if turn != self.counted.turn || self.counted.since.elapsed() >= CALLS_WINDOW {
                self.counted = Counted {
                    calls: 0,
                    since: Instant::now(),
                    turn,
                };
            }
        }
        self.counted.calls += 1;
        let max = self.limits.host_calls_max;
        if self.counted.calls > max {
            return Err(LimitHit::HostCalls { max }.into());
        }
        Ok(())
    }

    /// Hands the guest a new handle.
    fn push<T: Kept>(&mut self, entry: T) -> wasmtime::Result<Resource<T>> {
        self.handles.push(&mut self.meter, entry)
    }

    /// Looks at what a handle of the guest stands for.
    fn get<T: Kept>(&self, handle: &Resource<T>) -> wasmtime::Result<&T> {
        self.handles.get(handle)
    }

    /// Changes what a handle of the guest stands for.
    fn change<T: Kept, A>(
        &mut self,
        handle: &Resource<T>,
        change: impl FnOnce(&mut T) -> A,
    ) -> wasmtime::Result<A> {
        self.handles.change(&mut self.meter, handle, change)
    }

    /// The guest drops a handle.
    fn delete<T: Kept>(&mut self, handle: Resource<T>) -> wasmtime::Result<T> {
        self.handles.delete(&mut self.meter, handle)
    }

    /// Charges a handler's sandbox for the task and whatever else the host keeps
    /// for it from its opening to its end.
    pub(crate) fn charge_task(&mut self) -> Result<(), LimitHit> {
        match &self.role {
            Role::Handler(held) => self.meter.charge_kept(held.kept_bytes()),
            // A service is charged with each lease.
            Role::Service(_) => Ok(()),
        }
    }

    /// Counts bytes of a result.
    pub(crate) fn count_result(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// Returns what the sandbox used so far.
    pub(crate) fn spent(&self) -> Spent {
        Spent {
            cpu_us: self.role.cpu().used_us(),
            memory_peak_bytes: self.meter.memory_peak_bytes(),
            host_calls: self.host_calls,
            bytes_out: self.bytes_out,
            wall_us: u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX),
        }
    }
}

impl types::Host for State {}

/// Offers a linker every interface of the worlds and WASI 0.2.
///
/// The worlds import the same interfaces.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasi::link(linker)?;
    Handler::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}
