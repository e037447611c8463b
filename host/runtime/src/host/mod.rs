//! The host's half of `wit/`: one file per interface, and the state of a store
//! they share.
//!
//! Who the guest acts as comes from the store alone. Each call counts against
//! [`SandboxLimits::host_calls_max`]; what waits for the database does so on
//! the main runtime, so that guests cannot keep each other's answers waiting.

mod claim;
mod complete;
mod executions;
mod log;
mod side;

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use model::Usage;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::attempt::Attempt;
use crate::attempt_log::{Recorded, Source};
use crate::bindings::Handler;
use crate::bindings::flowhost::engine::types;
use crate::limits::{LimitHit, Meter, SandboxLimits};

pub use claim::LeaseHandle;
pub use executions::Request;
pub(crate) use side::HostFault;
pub use side::{EngineSide, HostSide};

/// Everything a store holds besides the guest.
pub(crate) struct State {
    pub(crate) attempt: Arc<Attempt>,
    pub(crate) task: Arc<types::Task>,
    pub(crate) side: HostSide,
    pub(crate) limits: SandboxLimits,
    pub(crate) result_bytes_max: u32,
    pub(crate) attempt_limited: bool,
    pub(crate) meter: Meter,
    opened: Instant,
    host_calls: u32,
    bytes_out: u64,
    wasi: WasiCtx,
    table: ResourceTable,
}

impl State {
    pub(crate) fn new(
        attempt: Arc<Attempt>,
        task: Arc<types::Task>,
        side: HostSide,
        limits: SandboxLimits,
        result_bytes_max: u32,
        attempt_limited: bool,
    ) -> Self {
        let stream = |source| Recorded {
            attempt: attempt.clone(),
            source,
        };
        let wasi = WasiCtx::builder()
            .stdout(stream(Source::Stdout))
            .stderr(stream(Source::Stderr))
            .max_random_size(u64::from(limits.random_bytes_max))
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles_max as usize);
        Self {
            attempt,
            task,
            side,
            limits,
            result_bytes_max,
            attempt_limited,
            meter: Meter::new(limits),
            opened: Instant::now(),
            host_calls: 0,
            bytes_out: 0,
            wasi,
            table,
        }
    }

    /// Counts one call into the host that brings `bytes`.
    fn called(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.bytes_out += bytes as u64;
        self.host_calls += 1;
        let max = self.limits.host_calls_max;
        if self.host_calls > max {
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

    /// Returns what the attempt used so far.
    pub(crate) fn usage(&self) -> Usage {
        let log_bytes = self.lock_log(|log, _| log.bytes());
        Usage {
            cpu_ticks: u32::try_from(self.attempt.cpu_us().div_ceil(10_000)).unwrap_or(u32::MAX),
            memory_peak_bytes: self.meter.memory_peak_bytes(),
            host_calls: self.host_calls,
            bytes_out: self.bytes_out + log_bytes,
            wall_us: u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX),
        }
    }

    /// Returns the log so far.
    pub(crate) fn log_snapshot(&self) -> Option<Vec<u8>> {
        self.lock_log(|log, at_ms| log.snapshot(at_ms))
    }

    fn lock_log<T>(&self, f: impl FnOnce(&mut crate::attempt_log::AttemptLog, u64) -> T) -> T {
        let at_ms = self.attempt.elapsed_ms();
        let mut log = self
            .attempt
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        f(&mut log, at_ms)
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

/// Offers a linker every interface of the world `handler` and WASI 0.2.
///
/// WASI is linked whole because language runtimes import more of it than they
/// use; without grants it has no files, no environment and no sockets to give.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    Handler::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}
