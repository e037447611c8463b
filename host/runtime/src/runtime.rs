//! The runtime of this host: one wasmtime engine, one registry of components,
//! threads for guests, and the workers that use them.

use std::sync::Arc;
use std::time::Instant;

use engine::{Engine, NewComponent};
use model::Digest;

use crate::engine_config::WasmEngine;
use crate::inspect::{PublishRefusal, inspect};
use crate::metrics::{Counters, Metrics};
use crate::registry::{LoadError, Registry};
use crate::room::{Machine, MemoryBudget, PoolSize, Room};
use crate::settings::{RuntimeSettings, WorkerSettings};
use crate::worker::{Worker, WorkerHandle};

/// Runs handlers on this host. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    settings: RuntimeSettings,
    registry: Arc<Registry>,
    counters: Arc<Counters>,
    guests: GuestThreads,
}

/// Why the runtime could not start, or could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Wasmtime could not be set up.
    #[error("the sandbox could not be set up: {0:#}")]
    Sandbox(wasmtime::Error),
    /// The threads for guests could not be started.
    #[error("threads for guests could not be started: {0}")]
    Threads(std::io::Error),
    /// The compiler could not be run.
    #[error("{0}")]
    Unavailable(String),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
}

impl Runtime {
    /// Starts a runtime. Must be called on the runtime the engine lives on.
    ///
    /// # Errors
    ///
    /// If the cache directory cannot be used, a required pool cannot be
    /// reserved, or threads cannot be started.
    pub fn start(engine: Engine, settings: RuntimeSettings) -> Result<Self, Error> {
        let machine = Machine::look();
        let budget = MemoryBudget::new(settings.memory_bytes_max, &machine);
        let size = PoolSize::new(
            settings.sandboxes_max,
            budget.bytes(),
            &settings.limits,
            &machine,
        );
        let wasm =
            WasmEngine::new(settings.pooling, size, &settings.limits).map_err(Error::Sandbox)?;
        let size = wasm.size();
        tracing::info!(
            sandboxes_max = size.sandboxes,
            bound = %size.bound,
            memories = size.memories,
            memory = %budget,
            pooled = wasm.is_pooled(),
            "room for sandboxes"
        );
        let room = Room::new(&size, budget.bytes());
        let registry = Registry::open(
            wasm,
            settings.limits,
            room,
            Some(&settings.cache_dir),
            settings.compiler.clone(),
        )
        .map_err(Error::Sandbox)?;
        let guests = GuestThreads::start(settings.guest_threads).map_err(Error::Threads)?;
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                settings,
                registry: Arc::new(registry),
                counters: Arc::default(),
                guests,
            }),
        })
    }

    /// Checks a component, compiles it for this host and publishes it.
    ///
    /// Returns its digest and whether it is new. Publishing is by content:
    /// doing it again changes nothing.
    ///
    /// # Errors
    ///
    /// If the compiler cannot be run or the database does not answer; asking
    /// again is safe.
    pub async fn publish(
        &self,
        bytes: Vec<u8>,
    ) -> Result<Result<(Digest, bool), PublishRefusal>, Error> {
        let inspected = match inspect(&bytes, &self.inner.engine.limits()) {
            Ok(inspected) => inspected,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match self.inner.registry.load(&bytes).await {
            Ok(_loaded) => {}
            Err(LoadError::Rejected(refusal)) => return Ok(Err(refusal)),
            Err(error @ LoadError::Unavailable(..)) => {
                return Err(Error::Unavailable(error.to_string()));
            }
        }
        let (row, new) = self
            .inner
            .engine
            .publish(NewComponent {
                digest: inspected.digest,
                bytes,
                world: inspected.world.to_owned(),
                imports: inspected.imports,
            })
            .await?;
        Ok(Ok((row.digest, new)))
    }

    /// Starts a worker on the present tokio runtime.
    pub fn worker(&self, settings: WorkerSettings) -> WorkerHandle {
        Worker::start(
            self.inner.engine.clone(),
            self.inner.registry.clone(),
            settings,
            self.inner.settings.limits,
            self.inner.counters.clone(),
            self.inner.guests.handle(),
        )
    }

    /// Returns what happened since the start.
    pub fn metrics(&self) -> Metrics {
        let registry = &self.inner.registry;
        self.inner.counters.read(
            registry.compiles(),
            registry.wasm().ticks(),
            registry.room(),
        )
    }

    /// Returns when the sandbox of the latest attempt was opened.
    pub fn last_opened(&self) -> Option<Instant> {
        self.inner.counters.last_opened()
    }

    /// Whether sandboxes come from a pool.
    pub fn is_pooled(&self) -> bool {
        self.inner.registry.wasm().is_pooled()
    }
}

/// Threads of their own for guests, so that leases, HTTP and database never
/// wait for one.
pub(crate) struct GuestThreads(Option<tokio::runtime::Runtime>);

impl GuestThreads {
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if threads > 0 {
            builder.worker_threads(threads);
        }
        builder
            .thread_name("guest")
            .enable_time()
            .build()
            .map(|runtime| Self(Some(runtime)))
    }

    pub(crate) fn handle(&self) -> tokio::runtime::Handle {
        self.0
            .as_ref()
            .expect("invariant: the threads end with their owner")
            .handle()
            .clone()
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Waiting for guests is not allowed where this may be dropped.
            runtime.shutdown_background();
        }
    }
}
