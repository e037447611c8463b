//! The wasmtime engine: where sandboxes get their memory from, and the ticker that
//! interrupts guests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::config;
use crate::memory::PoolSize;
use crate::settings::{Pooling, SandboxLimits};

/// Time between two ticks.
pub const TICK: Duration = Duration::from_millis(10);

/// Most bytes all instances of a component may take, their memories and tables left
/// out.
pub(crate) const INSTANCE_BYTES_MAX: u64 = 8 << 20;

/// A wasmtime engine and the thread that ticks for it.
#[derive(Clone)]
pub struct WasmEngine {
    engine: Engine,
    pooled: bool,
    size: PoolSize,
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
    /// A pool for which the system lacks addresses is made smaller; [`Self::size`] returns
    /// the result.
    ///
    /// # Errors
    ///
    /// If a required pool cannot be reserved, or no thread be started.
    pub fn new(pooling: Pooling, size: PoolSize, limits: &SandboxLimits) -> wasmtime::Result<Self> {
        let alone = |size| Ok::<_, wasmtime::Error>((Engine::new(&config())?, false, size));
        let (engine, pooled, size) = match pooling {
            Pooling::Off => alone(size)?,
            Pooling::Required => {
                reserved(size, limits).map(|(engine, size)| (engine, true, size))?
            }
            Pooling::Auto => match reserved(size, limits) {
                Ok((engine, size)) => (engine, true, size),
                Err(error) => {
                    tracing::warn!(
                        %error,
                        sandboxes = size.sandboxes,
                        "no pool of sandboxes could be reserved; each is allocated by itself, at about twice the cost"
                    );
                    alone(size)?
                }
            },
        };
        let ticker = Arc::new(Ticker::start(engine.clone())?);
        Ok(Self {
            engine,
            pooled,
            size,
            ticker,
        })
    }

    /// Returns the engine of wasmtime.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether sandboxes come from a pool.
    pub fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// Returns how large the pool is; without one, how large it would be.
    pub fn size(&self) -> PoolSize {
        self.size
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

/// Reserves a pool, or the largest part of it for which the system has addresses.
fn reserved(mut size: PoolSize, limits: &SandboxLimits) -> wasmtime::Result<(Engine, PoolSize)> {
    loop {
        let error = match pooled(&size, limits) {
            Ok(engine) => return Ok((engine, size)),
            Err(error) => error,
        };
        let Some(smaller) = size.halved(limits) else {
            return Err(error);
        };
        tracing::info!(%error, sandboxes = size.sandboxes, memories = size.memories, "a pool of this size could not be reserved; half of it is tried");
        size = smaller;
    }
}

fn pooled(size: &PoolSize, limits: &SandboxLimits) -> wasmtime::Result<Engine> {
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(size.sandboxes)
        // They are only counted; their memory is part of the footprint of a component.
        .total_core_instances(size.sandboxes.saturating_mul(limits.instances_max))
        .total_memories(size.memories)
        .total_tables(size.tables)
        .total_stacks(size.sandboxes)
        .max_memory_size(bytes(limits.memory_bytes_max))
        .max_memories_per_component(limits.memories_max)
        .max_tables_per_component(limits.tables_max)
        .max_core_instances_per_component(limits.instances_max)
        .max_memories_per_module(limits.memories_max)
        .max_tables_per_module(limits.tables_max)
        .max_core_instance_size(bytes(INSTANCE_BYTES_MAX))
        .max_component_instance_size(bytes(2 * INSTANCE_BYTES_MAX))
        .table_elements(limits.table_elements_max.max(30_000) as usize)
        // Giving pages back interrupts every processor that runs a guest, and
        // the next guest faults them in again: together that cost more than
        // the rest of a small sandbox. What a guest wrote to is overwritten in
        // place instead, up to so many bytes.
        .linear_memory_keep_resident(bytes(size.memory_kept_bytes))
        .table_keep_resident(bytes(size.table_kept_bytes))
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(size.sandboxes.min(100));
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
    use crate::memory::MachineLimits;
    use std::hash::{DefaultHasher, Hash, Hasher};

    fn compatibility(engine: &Engine) -> u64 {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn compiled_code_does_not_depend_on_where_instances_live() {
        let limits = SandboxLimits::default();
        let size = PoolSize::new(4, 1 << 30, &limits, &MachineLimits::detect());
        let pooled = pooled(&size, &limits).unwrap();
        let alone = Engine::new(&config()).unwrap();
        assert_eq!(compatibility(&pooled), compatibility(&alone));
    }

    #[test]
    fn the_ticker_ticks_and_ends_with_its_engine() {
        let limits = SandboxLimits::default();
        let size = PoolSize::new(1, 1 << 30, &limits, &MachineLimits::detect());
        let engine = WasmEngine::new(Pooling::Off, size, &limits).unwrap();
        let stop = engine.ticker.stop.clone();
        while engine.ticks() < 2 {
            std::thread::yield_now();
        }
        drop(engine);
        assert!(stop.load(Ordering::Relaxed));
    }
}
