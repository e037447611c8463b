//! The WASI that a guest has: clocks, random numbers, and streams that end up in its
//! log. No files, no environment, no arguments, no sockets.
//!
//! Its resources are in a table of their own, because WASI needs one it can put
//! anything into. What a guest can have kept there is small: streams without
//! buffers, which write to the log; pollables; moments a clock is waited for. A
//! socket would be a descriptor of the host even without an address it may reach,
//! so none can be made.

use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::random::{insecure, random};
use wasmtime_wasi::random::WasiRandomCtx;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::{Role, State};
use crate::attempt::LogSource;
use crate::host::log::GuestStream;
use crate::settings::{LimitHit, SandboxLimits};

/// The WASI of one guest.
pub(in crate::host) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl Wasi {
    pub(in crate::host) fn new(role: &Role, limits: &SandboxLimits) -> Self {
        let stream = |source| GuestStream {
            role: role.clone(),
            source,
        };
        let ctx = WasiCtx::builder()
            .stdout(stream(LogSource::Stdout))
            .stderr(stream(LogSource::Stderr))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles_max as usize);
        Self { ctx, table }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi.ctx,
            table: &mut self.wasi.table,
        }
    }
}

/// Offers a linker WASI 0.2, whole: language runtimes import more of it than they
/// use.
pub(in crate::host) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    // Linked again, so that asking for too many bytes is an error with a type.
    linker.allow_shadowing(true);
    random::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    insecure::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl State {
    fn random(&mut self, wanted: u64) -> wasmtime::Result<&mut WasiRandomCtx> {
        let max = self.limits.random_bytes_max;
        if wanted > u64::from(max) {
            return Err(LimitHit::Random { wanted, max }.into());
        }
        Ok(self.wasi.ctx.random())
    }
}

impl random::Host for State {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        random::Host::get_random_bytes(self.random(len)?, len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        random::Host::get_random_u64(self.random(0)?)
    }
}

impl insecure::Host for State {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        insecure::Host::get_insecure_random_bytes(self.random(len)?, len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        insecure::Host::get_insecure_random_u64(self.random(0)?)
    }
}
