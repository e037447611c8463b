//! What the host keeps for the guest of one store: its role, what it may use, what it
//! used, and the handles it holds.

use std::time::{Duration, Instant};

use model::Limits;
use wasmtime::component::{HasSelf, Linker, Resource};

use super::handles::{Handles, HostResource};
use super::local::LocalWaitpoints;
use super::local_stream::LocalStream;
use super::{Backend, Role, SandboxUsage, wasi};
use crate::host::bindings::Handler;
use crate::host::bindings::flowhost::engine::types;
use crate::host::bindings::service::flowhost::engine::events;
use crate::memory::Meter;
use crate::settings::{LimitHit, SandboxLimits};

/// How often the count of a service's calls is reset if no lease is taken or ended.
const CALLS_WINDOW: Duration = Duration::from_secs(60);

/// Everything a store holds besides the guest.
pub(crate) struct State {
    pub(crate) role: Role,
    pub(crate) backend: Backend,
    pub(crate) limits: SandboxLimits,
    pub(crate) instance_limits: Limits,
    pub(crate) meter: Meter,
    opened: Instant,
    host_calls: u64,
    bytes_out: u64,
    answer_bytes: usize,
    counted: CallCount,
    pub(in crate::host) local: LocalWaitpoints,
    pub(in crate::host) local_stream: LocalStream,
    handles: Handles,
    pub(in crate::host) wasi: wasi::Wasi,
}

/// The calls that count against `host_calls_max`.
struct CallCount {
    calls: u32,
    since: Instant,
    /// The number of the service's lease changes when the count began.
    lease_changes: u64,
}

impl State {
    pub(crate) fn new(
        role: Role,
        backend: Backend,
        limits: SandboxLimits,
        instance_limits: Limits,
    ) -> Self {
        let opened = Instant::now();
        Self {
            handles: Handles::new(limits.handles_max),
            wasi: wasi::Wasi::new(&role, &limits),
            role,
            backend,
            limits,
            instance_limits,
            meter: Meter::new(limits),
            opened,
            host_calls: 0,
            bytes_out: 0,
            answer_bytes: 0,
            counted: CallCount {
                calls: 0,
                since: opened,
                lease_changes: 0,
            },
            local: LocalWaitpoints::default(),
            local_stream: LocalStream::default(),
        }
    }

    /// Counts one call into the host that brings `bytes`.
    pub(in crate::host) fn count_call(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.meter
            .release(std::mem::take(&mut self.answer_bytes) as u64);
        self.bytes_out += bytes as u64;
        self.host_calls += 1;
        if let Role::Service(service) = &self.role {
            let lease_changes = service.lease_changes();
            if lease_changes != self.counted.lease_changes
                || self.counted.since.elapsed() >= CALLS_WINDOW
            {
                self.counted = CallCount {
                    calls: 0,
                    since: Instant::now(),
                    lease_changes,
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

    /// Charges the sandbox for an answer of many bytes: the host holds it until the
    /// guest has made room for it and taken it over, which may be as late as its next
    /// call.
    pub(in crate::host) fn charge_answer(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.meter.charge_host_bytes(bytes)?;
        self.answer_bytes += bytes;
        Ok(())
    }

    /// Adds an entry and returns the handle for the guest.
    pub(in crate::host) fn push<T: HostResource>(
        &mut self,
        entry: T,
    ) -> wasmtime::Result<Resource<T>> {
        self.handles.push(&mut self.meter, entry)
    }

    /// Returns the entry of a handle.
    pub(in crate::host) fn get<T: HostResource>(
        &self,
        handle: &Resource<T>,
    ) -> wasmtime::Result<&T> {
        self.handles.get(handle)
    }

    /// Changes the entry of a handle.
    pub(in crate::host) fn change<T: HostResource, A>(
        &mut self,
        handle: &Resource<T>,
        change: impl FnOnce(&mut T) -> A,
    ) -> wasmtime::Result<A> {
        self.handles.change(&mut self.meter, handle, change)
    }

    /// Removes the entry of a handle that the guest dropped.
    pub(in crate::host) fn delete<T: HostResource>(
        &mut self,
        handle: Resource<T>,
    ) -> wasmtime::Result<T> {
        self.handles.delete(&mut self.meter, handle)
    }

    /// Charges a handler's sandbox for the task and everything else the host keeps
    /// for it as long as it is open.
    pub(crate) fn charge_task(&mut self) -> Result<(), LimitHit> {
        match &self.role {
            Role::Handler(held) => self.meter.charge_host_bytes(held.kept_bytes()),
            // A service is charged with each lease.
            Role::Service(_) => Ok(()),
        }
    }

    /// Counts bytes of a result.
    pub(crate) fn count_result(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// Returns what the sandbox used so far.
    pub(crate) fn used(&self) -> SandboxUsage {
        SandboxUsage {
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
/// Both worlds import what is in that of handlers; services import events as well.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasi::link(linker)?;
    Handler::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    events::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}
