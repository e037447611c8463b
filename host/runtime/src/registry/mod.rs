//! Components this host can run, by digest.
//!
//! ```text
//!             ready?        cached code        bytes of the component
//!  wanted ──▶ shelf ──no──▶ cache ────no────▶ compiler ──▶ cache
//!               ▲             └────────┬─────────┘
//!               └── kept, within its budget ◀── linked and checked
//! ```
//!
//! Bytes come from the database and are hashed again; compiled code comes from
//! the local cache or the compiling child. What loads a component is a task of
//! the host, one for each digest. No caller owns it: it continues when the callers
//! that wait for it leave, and later callers join it.

mod loaded;
mod setbacks;
mod shelf;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::Engine;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use model::{Digest, SHOWN_TEXT_BYTES_MAX, shown};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use wasmtime::component::{Component, Linker};

use crate::cache::Cache;
use crate::compile::{CompileError, CompileIn, Compiler, Progress, SMALL_BYTES_MAX};
use crate::engine_config::WasmEngine;
use crate::host::State;
use crate::inspect::{PublishRefusal, digest};
use crate::limits::SandboxLimits;
use crate::room::{self, Needs, Room};
use crate::settings::CodeLimits;
use setbacks::Setbacks;
use shelf::Shelf;

pub(crate) use loaded::Loaded;

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

/// Where a component's bytes are.
pub(crate) enum Source {
    /// Here.
    Bytes(Arc<[u8]>),
    /// In the database.
    Database(Engine),
}

type Loading = Shared<BoxFuture<'static, Result<Arc<Loaded>, LoadError>>>;

/// What the registry does and holds, at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) compiles: u64,
    pub(crate) compiling: u64,
    pub(crate) loaded: u64,
    pub(crate) loaded_bytes: u64,
    pub(crate) cache_bytes: u64,
}

/// The components of this host.
pub(crate) struct Registry {
    wasm: WasmEngine,
    linker: Linker<State>,
    limits: SandboxLimits,
    room: Arc<Room>,
    cache: Option<Cache>,
    compiler: Compiler,
    shelf: Mutex<Shelf>,
    setbacks: Mutex<Setbacks>,
    loading: Mutex<HashMap<Digest, (Loading, AbortHandle)>>,
    turns: Semaphore,
    fetched_small: Semaphore,
    fetched_large: Semaphore,
    compiles: AtomicU64,
}

impl Registry {
    /// Opens a registry of components whose sandboxes have `limits` and take their
    /// part of `room`; without a directory nothing is kept on disk.
    pub(crate) fn open(
        wasm: WasmEngine,
        room: Arc<Room>,
        cache_dir: Option<&Path>,
        compiler: CompileIn,
        code: &CodeLimits,
        limits: SandboxLimits,
    ) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(wasm.engine());
        crate::host::link(&mut linker)?;
        let cache = cache_dir
            .map(|dir| Cache::open(dir, wasm.engine(), code.cache_bytes_max))
            .transpose()?;
        Ok(Self {
            wasm,
            linker,
            limits,
            room,
            cache,
            compiler: Compiler::new(compiler, code),
            shelf: Mutex::new(Shelf::new(code.loaded_bytes_max)),
            setbacks: Mutex::default(),
            loading: Mutex::default(),
            turns: Semaphore::new(LOADING_MAX),
            fetched_small: Semaphore::new(FETCHED_MAX.0),
            fetched_large: Semaphore::new(FETCHED_MAX.1),
            compiles: AtomicU64::new(0),
        })
    }

    /// Returns what the registry does and holds.
    pub(crate) fn figures(&self) -> Figures {
        let (loaded, loaded_bytes) = lock(&self.shelf).figures();
        Figures {
            compiles: self.compiles.load(Ordering::Relaxed),
            compiling: self.compiler.queued() as u64,
            loaded: loaded as u64,
            loaded_bytes,
            cache_bytes: self.cache.as_ref().map_or(0, Cache::bytes),
        }
    }

    /// Returns the engine components run on.
    pub(crate) fn wasm(&self) -> &WasmEngine {
        &self.wasm
    }

    /// Returns what the sandboxes of components share.
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Returns a component if it is loaded.
    pub(crate) fn ready(&self, digest: &Digest) -> Option<Arc<Loaded>> {
        lock(&self.shelf).get(digest)
    }

    /// Returns what is wrong with a component as long as it is not tried again.
    pub(crate) fn setback(&self, digest: &Digest) -> Option<LoadError> {
        lock(&self.setbacks).current(digest).cloned()
    }

    /// Returns where a component stands that is to be compiled.
    pub(crate) fn progress(&self, digest: &Digest) -> Option<Progress> {
        self.compiler.progress(digest)
    }

    /// Loads a published component to run it, compiling it if need be.
    pub(crate) async fn prepare(
        self: &Arc<Self>,
        engine: &Engine,
        wanted: Digest,
    ) -> Result<Arc<Loaded>, LoadError> {
        if let Some(bytes) = self.cache.as_ref().and_then(|cache| cache.size(&wanted)) {
            self.room_for(wanted, bytes)?;
        }
        let loaded = self.load(wanted, Source::Database(engine.clone())).await?;
        // Not kept if there was no room, or dropped again in the meantime.
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
        source: Source,
    ) -> Result<Arc<Loaded>, LoadError> {
        if let Some(loaded) = self.ready(&digest) {
            return Ok(loaded);
        }
        match self.setback(&digest) {
            Some(error @ (LoadError::Rejected(_) | LoadError::Refused(_))) => return Err(error),
            Some(LoadError::Unavailable(..)) | None => {}
        }
        self.begin(digest, source).await
    }

    /// Ends what is being loaded.
    pub(crate) fn close(&self) {
        for (_, (_, task)) in lock(&self.loading).drain() {
            task.abort();
        }
    }

    /// Begins to load a component, or joins the task that does.
    fn begin(self: &Arc<Self>, digest: Digest, source: Source) -> Loading {
        let mut loading = lock(&self.loading);
        if let Some((task, _)) = loading.get(&digest) {
            return task.clone();
        }
        let this = self.clone();
        let task = tokio::spawn(async move {
            let loaded = this.obtain(digest, source).await;
            this.note(digest, &loaded);
            lock(&this.loading).remove(&digest);
            loaded
        });
        let abort = task.abort_handle();
        let this = Arc::downgrade(self);
        let task = async move {
            task.await.unwrap_or_else(|error| {
                let failed = Err(LoadError::Unavailable(digest, error.to_string()));
                if let Some(this) = this.upgrade() {
                    this.note(digest, &failed);
                    lock(&this.loading).remove(&digest);
                }
                failed
            })
        };
        let task = task.boxed().shared();
        loading.insert(digest, (task.clone(), abort));
        task
    }

    fn note(&self, digest: Digest, loaded: &Result<Arc<Loaded>, LoadError>) {
        let mut setbacks = lock(&self.setbacks);
        match loaded {
            // Not if it was only checked and found no room to stay.
            Ok(_) if self.ready(&digest).is_some() => setbacks.clear(&digest),
            Ok(_) => {}
            Err(error) => {
                let again_in_s = setbacks.note(digest, error).map(|pause| pause.as_secs());
                drop(setbacks);
                tracing::info!(%digest, %error, again_in_s, "a component could not be loaded");
            }
        }
    }

    async fn obtain(
        self: &Arc<Self>,
        wanted: Digest,
        source: Source,
    ) -> Result<Arc<Loaded>, LoadError> {
        if let Some(loaded) = self.load_cached(wanted).await? {
            return Ok(self.shelve(loaded));
        }
        let unavailable = |why: String| LoadError::Unavailable(wanted, why);
        // Held until it is compiled.
        let mut _fetched = None;
        let bytes = match source {
            Source::Bytes(bytes) => bytes,
            Source::Database(engine) => {
                let fault = |error: engine::Error| unavailable(error.to_string());
                let missing = || unavailable("the database does not have it".into());
                let row = engine.component(wanted).await.map_err(fault)?;
                let small = row.ok_or_else(missing)?.size <= SMALL_BYTES_MAX as i64;
                let turns = if small {
                    &self.fetched_small
                } else {
                    &self.fetched_large
                };
                _fetched = turns.acquire().await.ok();
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
        Ok(self.shelve(loaded))
    }

    /// Loads compiled code, resolves its imports and checks its exports, once for
    /// all instances. Rejects a component of which no sandbox could ever be opened.
    ///
    /// `sealed` must come from the cache, which checked its MAC, or from the
    /// compiler this host started.
    fn link(&self, digest: Digest, sealed: &[u8]) -> Result<Loaded, LoadError> {
        let unusable = |why: &str| {
            let why = shown(why, SHOWN_TEXT_BYTES_MAX);
            LoadError::Unavailable(digest, format!("its code does not load: {why}"))
        };
        let (code, needs) = room::split(sealed)
            .ok_or_else(|| unusable("it does not say what the component needs"))?;
        if let Some(refusal) = self.never_opens(&needs) {
            return Err(LoadError::Rejected(refusal));
        }
        // SAFETY: these bytes were made by `precompile_component` on behalf of
        // this host: they come straight from its compiler, or from a file
        // whose MAC under this host's key was checked on these very bytes.
        let component = unsafe { Component::deserialize(self.wasm.engine(), code) };
        // Such as code from a compiler that was replaced by another version while
        // this host runs.
        let component = component.map_err(|error| unusable(&format!("{error:#}")))?;
        let is_small = Room::is_small(&needs.wanted(&self.limits, 0));
        Loaded::new(digest, &component, &self.linker, needs, is_small).map_err(LoadError::Rejected)
    }

    /// Says why no sandbox of a component with these needs could ever be opened.
    fn never_opens(&self, needs: &Needs) -> Option<PublishRefusal> {
        needs.exceed(&self.limits).or_else(|| {
            let wanted = needs.wanted(&self.limits, 0);
            self.room
                .never_fits(&wanted)
                .map(PublishRefusal::DoesNotFit)
        })
    }

    /// Keeps a component in memory if there is room: one that is only checked
    /// need not stay.
    fn shelve(&self, loaded: Loaded) -> Arc<Loaded> {
        let loaded = Arc::new(loaded);
        if let Err(full) = lock(&self.shelf).put(loaded.clone()) {
            tracing::debug!(digest = %loaded.digest, %full, "a component is not kept in memory");
        }
        loaded
    }

    /// Keeps a component in memory, or says why it cannot be run.
    fn keep(&self, loaded: &Arc<Loaded>) -> Result<(), LoadError> {
        let kept = lock(&self.shelf).put(loaded.clone());
        kept.map_err(|full| self.no_room(loaded.digest, full))
    }

    fn room_for(&self, digest: Digest, bytes: u64) -> Result<(), LoadError> {
        if self.ready(&digest).is_some() {
            return Ok(());
        }
        let room = lock(&self.shelf).could_take(bytes);
        room.map_err(|full| self.no_room(digest, full))
    }

    fn no_room(&self, digest: Digest, full: shelf::NoRoom) -> LoadError {
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
        let _turn = self.turns.acquire().await;
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this))
            .await
            .map_err(|error| LoadError::Unavailable(digest, error.to_string()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
