//! The host's half of `wit/`: one file per interface, and the state of a store
//! they share.
//!
//! Who the guest acts as comes from the store alone. Each call counts against
//! [`SandboxLimits::host_calls_max`]; what waits for the database does so on
//! the main runtime, so that guests cannot keep each other's answers waiting.

mod bounds;
mod claim;
mod complete;
mod condition;
mod executions;
mod local;
mod log;
mod role;
mod side;
mod signal;
mod suspend;

use std::time::{Duration, Instant};

use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::attempt_log::{Recorded, Source};
use crate::bindings::Handler;
use crate::bindings::flowhost::engine::types;
use crate::held::Spent;
use crate::limits::{LimitHit, Meter, SandboxLimits};

pub use claim::LeaseHandle;
pub(crate) use claim::NoCurrentLease;
pub use executions::Request;
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
    pub(crate) result_bytes_max: u32,
    pub(crate) meter: Meter,
    opened: Instant,
    host_calls: u64,
    bytes_out: u64,
    counted: Counted,
    local: local::LocalWaitpoints,
    wasi: WasiCtx,
    table: ResourceTable,
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
        result_bytes_max: u32,
    ) -> Self {
        let stream = |source| Recorded {
            role: role.clone(),
            source,
        };
        let wasi = WasiCtx::builder()
            .stdout(stream(Source::Stdout))
            .stderr(stream(Source::Stderr))
            .max_random_size(u64::from(limits.random_bytes_max))
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles_max as usize);
        let opened = Instant::now();
        Self {
            role,
            side,
            limits,
            result_bytes_max,
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
            wasi,
            table,
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
    fn push<T: Send + 'static>(&mut self, entry: T) -> wasmtime::Result<Resource<T>> {
        self.table.push(entry).map_err(|error| match error {
            ResourceTableError::Full => LimitHit::Handles {
                max: self.limits.handles_max,
            }
            .into(),
            other => other.into(),
        })
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

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl types::Host for State {}

/// Offers a linker every interface of the worlds and WASI 0.2.
///
/// The worlds import the same interfaces. WASI is linked whole because language
/// runtimes import more of it than they use; without grants it has no files, no
/// environment and no sockets to give.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    Handler::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}
