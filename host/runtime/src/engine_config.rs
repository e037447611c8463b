//! The wasmtime engine: how guests are compiled, where they live, and the
//! ticker that interrupts them.
//!
//! The compiling child and the host build their [`Config`] from the same
//! function; what differs (where instances live) has no part in what compiled
//! code is compatible with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::limits::SandboxLimits;

/// Time between two ticks.
pub const TICK: Duration = Duration::from_millis(10);

/// Stack of a guest, and of the host functions above it.
const WASM_STACK_BYTES: usize = 512 << 10;
const ASYNC_STACK_BYTES: usize = 2 << 20;

/// Size up to which the data of a memory is made one image, however sparse.
const DENSE_IMAGE_BYTES: u64 = 256 << 10;

/// Memories a sandbox may need: QuickJS with WASI has three.
const MEMORIES_PER_SANDBOX: u32 = 4;

/// Where sandboxes get their memory from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// From a pool reserved at start; from the system if that fails.
    Auto,
    /// From a pool; failing to reserve it is an error.
    Required,
    /// From the system, each time.
    Off,
}

/// A wasmtime engine and the thread that ticks for it.
#[derive(Clone)]
pub struct WasmEngine {
    engine: Engine,
    pooled: bool,
    ticker: Arc<Ticker>,
}

struct Ticker {
    ticks: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl WasmEngine {
    /// Builds the engine and starts its ticker.
    ///
    /// # Errors
    ///
    /// If a required pool cannot be reserved, or no thread be started.
    pub fn new(
        pooling: Pooling,
        sandboxes_max: u32,
        limits: &SandboxLimits,
    ) -> wasmtime::Result<Self> {
        let (engine, pooled) = match pooling {
            Pooling::Off => (Engine::new(&config())?, false),
            Pooling::Required => (pooled(sandboxes_max, limits)?, true),
            Pooling::Auto => match pooled(sandboxes_max, limits) {
                Ok(engine) => (engine, true),
                Err(error) => {
                    tracing::warn!(
                        %error,
                        sandboxes_max,
                        "no pool of sandboxes could be reserved; each is allocated by itself, at about twice the cost"
                    );
                    (Engine::new(&config())?, false)
                }
            },
        };
        let ticker = Arc::new(Ticker::start(engine.clone())?);
        Ok(Self {
            engine,
            pooled,
            ticker,
        })
    }

    /// Returns the engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether sandboxes come from a pool.
    pub fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// Returns how often the ticker ticked; a number that stands still means
    /// that guests cannot be interrupted.
    pub fn ticks(&self) -> u64 {
        self.ticker.ticks.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for WasmEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasmEngine")
            .field("pooled", &self.pooled)
            .field("ticks", &self.ticks())
            .finish_non_exhaustive()
    }
}

/// Returns how guests are compiled.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(wasmtime::Strategy::Cranelift)
        .wasm_component_model(true)
        // Guests get synchronous interfaces only; doing without the
        // bookkeeping of concurrent ones halves the cost of a crossing.
        .concurrency_support(false)
        .epoch_interruption(true)
        // Threads, exceptions and garbage collection are not even built in.
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        // Data far apart in a small memory would be compiled to an image with
        // all the zeros between; beyond this size only dense data is.
        .memory_guaranteed_dense_image_size(DENSE_IMAGE_BYTES)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(ASYNC_STACK_BYTES)
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
    config
}

fn pooled(sandboxes_max: u32, limits: &SandboxLimits) -> wasmtime::Result<Engine> {
    let memories = sandboxes_max.saturating_mul(MEMORIES_PER_SANDBOX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(sandboxes_max)
        .total_core_instances(sandboxes_max.saturating_mul(limits.instances_max.min(16)))
        .total_memories(memories)
        .total_tables(sandboxes_max.saturating_mul(8))
        .total_stacks(sandboxes_max)
        .max_memory_size(usize::try_from(limits.memory_bytes_max).unwrap_or(usize::MAX))
        .max_memories_per_component(limits.memories_max)
        .max_tables_per_component(limits.tables_max)
        .max_core_instances_per_component(limits.instances_max)
        .max_memories_per_module(limits.memories_max)
        .max_tables_per_module(limits.tables_max)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(8 << 20)
        .table_elements(limits.table_elements_max.max(30_000) as usize)
        // Giving pages back interrupts every processor that runs a guest, and
        // the next guest faults them in again: together that cost more than
        // the rest of a small sandbox. What a guest wrote to is overwritten in
        // place instead, up to so many bytes.
        .linear_memory_keep_resident(512 << 10)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(sandboxes_max.min(100));
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

impl Ticker {
    /// A thread of the system, because a task would stand still with the
    /// runtime it is needed for.
    fn start(engine: Engine) -> wasmtime::Result<Self> {
        let ticks = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name("guest-ticker".into())
            .spawn({
                let (ticks, stop) = (ticks.clone(), stop.clone());
                move || {
                    while !stop.load(Ordering::Relaxed) {
                        std::thread::sleep(TICK);
                        engine.increment_epoch();
                        ticks.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })?;
        Ok(Self {
            ticks,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A ticker that panicked has said so already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{DefaultHasher, Hash, Hasher};

    fn compatibility(engine: &Engine) -> u64 {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn compiled_code_does_not_depend_on_where_instances_live() {
        let limits = SandboxLimits::default();
        let pooled = pooled(4, &limits).unwrap();
        let alone = Engine::new(&config()).unwrap();
        assert_eq!(compatibility(&pooled), compatibility(&alone));
    }

    #[test]
    fn the_ticker_ticks_and_ends_with_its_engine() {
        let engine = WasmEngine::new(Pooling::Off, 1, &SandboxLimits::default()).unwrap();
        let stop = engine.ticker.stop.clone();
        while engine.ticks() < 2 {
            std::thread::yield_now();
        }
        drop(engine);
        assert!(stop.load(Ordering::Relaxed));
    }
}
