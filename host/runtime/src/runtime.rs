//! The runtime of this host: one wasmtime engine, one registry of components,
//! threads for guests, and the workers that use them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Engine;
use model::Digest;

use crate::attempt::GuestThreads;
use crate::component::Error;
use crate::component::inspect::{PublishRefusal, inspect};
use crate::component::publish::{Publication, Publications};
use crate::component::registry::Registry;
use crate::component::wasm::WasmEngine;
use crate::memory::{MachineLimits, MemoryBudget, PoolSize, SandboxBudget};
use crate::metrics;
use crate::service;
use crate::settings::{RuntimeSettings, WorkerSettings};
use crate::worker::{Counters, Worker, WorkerHandle};

/// Runs the handlers and services of this host. Cheap to clone.
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

impl Runtime {
    /// Starts a runtime. Must be called on the runtime the engine was started on.
    ///
    /// # Errors
    ///
    /// If the cache directory cannot be used, a required pool cannot be
    /// reserved, or threads cannot be started.
    pub fn start(engine: Engine, settings: RuntimeSettings) -> Result<Self, Error> {
        let machine = MachineLimits::detect();
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
        let sandboxes = SandboxBudget::new(&size, budget.bytes());
        let registry = Registry::open(
            wasm,
            sandboxes,
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

    /// Inspects a component and begins to publish it: to compile it for this
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
        let inspecting = tokio::task::spawn_blocking(move || {
            let inspected = inspect(&bytes, &limits);
            (inspected, Arc::<[u8]>::from(bytes))
        });
        let (inspected, bytes) = inspecting
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

    /// Returns how far publishing a component is, waiting up to `wait_max`
    /// for its end; `None` if this host does not publish it and did not lately.
    pub async fn publication(&self, digest: &Digest, wait_max: Duration) -> Option<Publication> {
        self.inner.publications.wait(digest, wait_max).await
    }

    /// Ends what is being compiled and published; it has to be asked for again.
    pub fn close(&self) {
        self.inner.publications.close();
        self.inner.registry.close();
    }

    /// Starts a worker on the present tokio runtime.
    pub fn worker(&self, settings: WorkerSettings) -> WorkerHandle {
        let worker = Worker::start(
            self.inner.engine.clone(),
            self.inner.registry.clone(),
            settings,
            self.inner.settings.limits,
            self.inner.counters.clone(),
            self.inner.guests.guests(),
        );
        worker.start_task("serving", service::supervise);
        WorkerHandle::new(worker)
    }

    /// Registers the metrics of this runtime as they are now, for one scrape.
    pub fn register_metrics(&self, metrics: &mut prometheus_client::registry::Registry) {
        let publishing = self.inner.publications.working();
        metrics::register(
            metrics,
            &self.inner.counters,
            &self.inner.registry,
            publishing,
        );
    }

    /// Returns when the sandbox of the latest attempt was opened.
    pub fn last_opened(&self) -> Option<Instant> {
        self.inner.counters.last_opened()
    }
}
