//! The runtime of this host: one wasmtime engine, one registry of components,
//! threads for guests, and the workers that use them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Engine;
use model::Digest;

use crate::engine_config::WasmEngine;
use crate::inspect::{PublishRefusal, inspect};
use crate::metrics::{Counters, Metrics};
use crate::publish::{Publication, Publications, PublishEnd};
use crate::registry::Registry;
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
    publications: Arc<Publications>,
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
    /// The compiler could not be run, or something else of this host.
    #[error("{0}")]
    Unavailable(String),
    /// No more components are published at once.
    #[error(
        "{components} components are being published, which is all this host takes on; ask again when some are done"
    )]
    Busy {
        /// How many.
        components: usize,
    },
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
            room,
            Some(&settings.cache_dir),
            settings.compiler.clone(),
            &settings.code,
            settings.limits,
        );
        let registry = Arc::new(registry.map_err(Error::Sandbox)?);
        let guests = GuestThreads::start(settings.guest_threads).map_err(Error::Threads)?;
        Ok(Self {
            inner: Arc::new(Inner {
                publications: Arc::new(Publications::new(engine.clone(), registry.clone())),
                engine,
                settings,
                registry,
                counters: Arc::default(),
                guests,
            }),
        })
    }

    /// Looks at a component and begins to publish it: to compile it for this
    /// host, store it, and route to it each kind of `routes` with the weight
    /// given. Returns its digest, by which [`Self::publication`] tells how far
    /// that is.
    ///
    /// Publishing is by content: doing it again changes nothing, and joins what
    /// is in progress. What was begun continues whether a caller waits or not.
    ///
    /// # Errors
    ///
    /// If this host publishes as many as it takes on.
    pub async fn begin_publishing(
        &self,
        bytes: Vec<u8>,
        routes: Vec<(String, u32)>,
    ) -> Result<Result<Digest, PublishRefusal>, Error> {
        let limits = self.inner.engine.limits();
        let looked = tokio::task::spawn_blocking(move || {
            let inspected = inspect(&bytes, &limits);
            (inspected, Arc::<[u8]>::from(bytes))
        });
        let (inspected, bytes) = looked
            .await
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        let inspected = match inspected {
            Ok(inspected) => inspected,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let digest = inspected.digest;
        self.inner.publications.begin(inspected, bytes, routes)?;
        Ok(Ok(digest))
    }

    /// Returns where publishing a component stands, waiting up to `patience` for
    /// its end; `None` if this host does not publish it and did not lately.
    pub async fn publication(&self, digest: &Digest, patience: Duration) -> Option<Publication> {
        self.inner.publications.wait(digest, patience).await
    }

    /// Publishes a component and waits for the end, however long it takes. See
    /// [`Self::begin_publishing`].
    ///
    /// # Errors
    ///
    /// If this host publishes as many as it takes on.
    pub async fn publish(
        &self,
        bytes: Vec<u8>,
        routes: Vec<(String, u32)>,
    ) -> Result<Result<PublishEnd, PublishRefusal>, Error> {
        let digest = match self.begin_publishing(bytes, routes).await? {
            Ok(digest) => digest,
            Err(refusal) => return Ok(Err(refusal)),
        };
        loop {
            match self.publication(&digest, Duration::from_secs(60)).await {
                Some(Publication::Ended(end)) => return Ok(Ok(end)),
                Some(Publication::Working(_)) => {}
                None => return Err(Error::Unavailable("its publishing is forgotten".to_owned())),
            }
        }
    }

    /// Ends what is being compiled and published; it has to be asked for again.
    pub fn close(&self) {
        self.inner.publications.close();
        self.inner.registry.close();
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
        Metrics {
            publishing: self.inner.publications.working() as u64,
            ..self
                .inner
                .counters
                .read(registry.figures(), registry.wasm().ticks(), registry.room())
        }
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
