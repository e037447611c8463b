//! Loads components: from memory, from the disk cache, or through the compiler.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::Engine;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use model::Digest;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use wasmtime::component::Linker;

use super::Loaded;
use super::disk_cache::DiskCache;
use super::load_failures::LoadFailures;
use super::memory_cache::{MemoryCache, MemoryCacheFull};
use crate::component::Error;
use crate::component::compile::{CompileError, CompileProgress, Compiler, SMALL_BYTES_MAX};
use crate::component::inspect::{PublishRefusal, digest};
use crate::component::wasm::WasmEngine;
use crate::host::{self, State};
use crate::memory::SandboxBudget;
use crate::settings::{CodeLimits, CompileIn, SandboxLimits};

/// Components read, linked or hashed at once: each may hold its compiled code
/// twice for that time.
const LOADING_MAX: usize = 2;
/// Components fetched from the database that wait for the compiler, small ones and
/// others: a host that starts with hundreds of routes does not hold them all.
const FETCHED_MAX: (usize, usize) = (8, 2);

/// Why a component cannot be run here.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LoadError {
    /// The component's fault: it stays so.
    #[error(transparent)]
    Rejected(PublishRefusal),
    /// It takes more than this host gives to one, as things are: it is tried
    /// again after a while.
    #[error(transparent)]
    Refused(PublishRefusal),
    /// The host's fault, or the database's: it may pass.
    #[error("component {0} is unavailable: {1}")]
    Unavailable(Digest, String),
}

impl LoadError {
    /// Returns why the component is refused.
    ///
    /// # Errors
    ///
    /// If the host or the database failed.
    pub(crate) fn refusal(self) -> Result<PublishRefusal, Error> {
        match self {
            Self::Rejected(refusal) | Self::Refused(refusal) => Ok(refusal),
            Self::Unavailable(..) => Err(Error::Unavailable(self.to_string())),
        }
    }
}

/// Source of the bytes of a component.
pub(crate) enum ComponentSource {
    /// They were given with the request.
    Bytes(Arc<[u8]>),
    /// They are read from the database.
    Database(Engine),
}

type Loading = Shared<BoxFuture<'static, Result<Arc<Loaded>, LoadError>>>;

/// Counts of what the registry did and has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RegistryStats {
    pub(crate) compiles: u64,
    pub(crate) compiling: u64,
    pub(crate) loaded: u64,
    pub(crate) loaded_bytes: u64,
    pub(crate) cache_bytes: u64,
}

/// The components of this host.
pub(crate) struct Registry {
    pub(super) wasm: WasmEngine,
    pub(super) linker: Linker<State>,
    pub(super) limits: SandboxLimits,
    pub(super) budget: Arc<SandboxBudget>,
    cache: Option<DiskCache>,
    compiler: Compiler,
    in_memory: Mutex<MemoryCache>,
    failures: Mutex<LoadFailures>,
    loading: Mutex<HashMap<Digest, (Loading, AbortHandle)>>,
    /// Bounds how many components are read, linked or hashed at once.
    blocking_slots: Semaphore,
    fetched_small: Semaphore,
    fetched_large: Semaphore,
    compiles: AtomicU64,
}

impl Registry {
    /// Opens a registry of components whose sandboxes have `limits` and share `budget`; without a directory nothing is kept on disk.
    pub(crate) fn open(
        wasm: WasmEngine,
        budget: Arc<SandboxBudget>,
        cache_dir: Option<&Path>,
        compiler: CompileIn,
        code: &CodeLimits,
        limits: SandboxLimits,
    ) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(wasm.engine());
        host::link(&mut linker)?;
        let cache = cache_dir
            .map(|dir| DiskCache::open(dir, wasm.engine(), code.cache_bytes_max))
            .transpose()?;
        Ok(Self {
            wasm,
            linker,
            limits,
            budget,
            cache,
            compiler: Compiler::new(compiler, code),
            in_memory: Mutex::new(MemoryCache::new(code.loaded_bytes_max)),
            failures: Mutex::default(),
            loading: Mutex::default(),
            blocking_slots: Semaphore::new(LOADING_MAX),
            fetched_small: Semaphore::new(FETCHED_MAX.0),
            fetched_large: Semaphore::new(FETCHED_MAX.1),
            compiles: AtomicU64::new(0),
        })
    }

    /// Returns what the registry does and holds.
    pub(crate) fn stats(&self) -> RegistryStats {
        let (loaded, loaded_bytes) = self.in_memory.lock().stats();
        RegistryStats {
            compiles: self.compiles.load(Ordering::Relaxed),
            compiling: self.compiler.queued() as u64,
            loaded: loaded as u64,
            loaded_bytes,
            cache_bytes: self.cache.as_ref().map_or(0, DiskCache::bytes),
        }
    }

    /// Returns the engine components run on.
    pub(crate) fn wasm(&self) -> &WasmEngine {
        &self.wasm
    }

    /// Returns what the sandboxes of components share.
    pub(crate) fn budget(&self) -> &Arc<SandboxBudget> {
        &self.budget
    }

    /// Returns a component if it is loaded.
    pub(crate) fn ready(&self, digest: &Digest) -> Option<Arc<Loaded>> {
        self.in_memory.lock().get(digest)
    }

    /// Returns what is wrong with a component as long as it is not tried again.
    pub(crate) fn failure(&self, digest: &Digest) -> Option<LoadError> {
        self.failures.lock().current(digest).cloned()
    }

    /// Returns how far a component is that is to be compiled.
    pub(crate) fn progress(&self, digest: &Digest) -> Option<CompileProgress> {
        self.compiler.progress(digest)
    }

    /// Loads a published component to run it, compiling it if need be.
    pub(crate) async fn prepare(
        self: &Arc<Self>,
        engine: &Engine,
        wanted: Digest,
    ) -> Result<Arc<Loaded>, LoadError> {
        if let Some(bytes) = self.cache.as_ref().and_then(|cache| cache.size(&wanted)) {
            self.check_fits(wanted, bytes)?;
        }
        let loaded = self
            .load(wanted, ComponentSource::Database(engine.clone()))
            .await?;
        // Not kept if it did not fit, or dropped again in the meantime.
        if self.ready(&wanted).is_none() {
            self.keep(&loaded)?;
        }
        Ok(loaded)
    }

    /// Loads a component, compiling it if need be; tried again if it was the
    /// host that failed the last time.
    pub(crate) async fn load(
        self: &Arc<Self>,
        digest: Digest,
        source: ComponentSource,
    ) -> Result<Arc<Loaded>, LoadError> {
        if let Some(loaded) = self.ready(&digest) {
            return Ok(loaded);
        }
        match self.failure(&digest) {
            Some(error @ (LoadError::Rejected(_) | LoadError::Refused(_))) => return Err(error),
            Some(LoadError::Unavailable(..)) | None => {}
        }
        self.begin(digest, source).await
    }

    /// Ends what is being loaded.
    pub(crate) fn close(&self) {
        for (_, (_, task)) in self.loading.lock().drain() {
            task.abort();
        }
    }

    /// Begins to load a component, or joins the task that does.
    fn begin(self: &Arc<Self>, digest: Digest, source: ComponentSource) -> Loading {
        let mut loading = self.loading.lock();
        if let Some((task, _)) = loading.get(&digest) {
            return task.clone();
        }
        let this = self.clone();
        let task = tokio::spawn(async move {
            let loaded = this.load_new(digest, source).await;
            this.note(digest, &loaded);
            this.loading.lock().remove(&digest);
            loaded
        });
        let abort = task.abort_handle();
        let this = Arc::downgrade(self);
        let task = async move {
            task.await.unwrap_or_else(|error| {
                let failed = Err(LoadError::Unavailable(digest, error.to_string()));
                if let Some(this) = this.upgrade() {
                    this.note(digest, &failed);
                    this.loading.lock().remove(&digest);
                }
                failed
            })
        };
        let task = task.boxed().shared();
        loading.insert(digest, (task.clone(), abort));
        task
    }

    fn note(&self, digest: Digest, loaded: &Result<Arc<Loaded>, LoadError>) {
        let mut failures = self.failures.lock();
        match loaded {
            // Not if it was only checked and did not fit.
            Ok(_) if self.ready(&digest).is_some() => failures.clear(&digest),
            Ok(_) => {}
            Err(error) => {
                let again_in_s = failures.note(digest, error).map(|pause| pause.as_secs());
                drop(failures);
                tracing::info!(%digest, %error, again_in_s, "a component could not be loaded");
            }
        }
    }

    async fn load_new(
        self: &Arc<Self>,
        wanted: Digest,
        source: ComponentSource,
    ) -> Result<Arc<Loaded>, LoadError> {
        if let Some(loaded) = self.load_cached(wanted).await? {
            return Ok(self.keep_if_it_fits(loaded));
        }
        let unavailable = |why: String| LoadError::Unavailable(wanted, why);
        // Held until it is compiled.
        let mut _fetched = None;
        let bytes = match source {
            ComponentSource::Bytes(bytes) => bytes,
            ComponentSource::Database(engine) => {
                let fault = |error: engine::Error| unavailable(error.to_string());
                let missing = || unavailable("the database does not have it".into());
                let row = engine.component(wanted).await.map_err(fault)?;
                let small = row.ok_or_else(missing)?.size <= SMALL_BYTES_MAX as i64;
                let slots = if small {
                    &self.fetched_small
                } else {
                    &self.fetched_large
                };
                _fetched = slots.acquire().await.ok();
                let bytes = engine.component_bytes(wanted).await.map_err(fault)?;
                bytes.ok_or_else(missing)?.into()
            }
        };
        let (found, bytes) = self
            .blocking(wanted, move |_| (digest(&bytes), bytes))
            .await?;
        if found != wanted {
            return Err(unavailable(
                "its bytes in the database do not match its digest; publish it again".into(),
            ));
        }
        self.compile(wanted, bytes).await
    }

    async fn load_cached(self: &Arc<Self>, digest: Digest) -> Result<Option<Loaded>, LoadError> {
        self.blocking(digest, move |this| {
            let cache = this.cache.as_ref()?;
            let code = cache.get(&digest)?;
            match this.link(digest, &code) {
                Ok(loaded) => Some(Ok(loaded)),
                Err(error @ LoadError::Rejected(_)) => Some(Err(error)),
                Err(error) => {
                    tracing::warn!(%digest, %error, "cached code does not load; it is compiled again");
                    cache.remove(&digest);
                    None
                }
            }
        })
        .await?
        .transpose()
    }

    async fn compile(
        self: &Arc<Self>,
        digest: Digest,
        wasm: Arc<[u8]>,
    ) -> Result<Arc<Loaded>, LoadError> {
        self.compiles.fetch_add(1, Ordering::Relaxed);
        let compiled = self
            .compiler
            .compile(self.wasm.engine(), digest, wasm)
            .await;
        let code = compiled.map_err(|error| match error {
            CompileError::Rejected(why) => LoadError::Rejected(PublishRefusal::DoesNotCompile(why)),
            CompileError::Undecided(refusal) => LoadError::Refused(refusal),
            error @ (CompileError::Slow(_) | CompileError::Unable(_)) => {
                LoadError::Unavailable(digest, error.to_string())
            }
        })?;
        let loaded = self.blocking(digest, move |this| {
            let loaded = this.link(digest, &code)?;
            if let Some(cache) = &this.cache
                && let Err(error) = cache.put(&digest, &code)
            {
                tracing::warn!(%digest, %error, "compiled code could not be cached; it is compiled again at the next start");
            }
            Ok(loaded)
        })
        .await??;
        Ok(self.keep_if_it_fits(loaded))
    }

    /// Keeps a component in memory if it fits: one that is only checked need not stay.
    fn keep_if_it_fits(&self, loaded: Loaded) -> Arc<Loaded> {
        let loaded = Arc::new(loaded);
        if let Err(full) = self.in_memory.lock().put(loaded.clone()) {
            tracing::debug!(digest = %loaded.digest, %full, "a component is not kept in memory");
        }
        loaded
    }

    /// Keeps a component in memory, or says why it cannot be run.
    fn keep(&self, loaded: &Arc<Loaded>) -> Result<(), LoadError> {
        let kept = self.in_memory.lock().put(loaded.clone());
        kept.map_err(|full| self.memory_full(loaded.digest, full))
    }

    fn check_fits(&self, digest: Digest, bytes: u64) -> Result<(), LoadError> {
        if self.ready(&digest).is_some() {
            return Ok(());
        }
        let fits = self.in_memory.lock().check_fits(bytes);
        fits.map_err(|full| self.memory_full(digest, full))
    }

    fn memory_full(&self, digest: Digest, full: MemoryCacheFull) -> LoadError {
        let error = LoadError::Unavailable(digest, full.to_string());
        self.note(digest, &Err(error.clone()));
        error
    }

    /// Does what takes long or blocks where that is allowed, a few at once.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        digest: Digest,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, LoadError> {
        let _slot = self.blocking_slots.acquire().await;
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this))
            .await
            .map_err(|error| LoadError::Unavailable(digest, error.to_string()))
    }
}
