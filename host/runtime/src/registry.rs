//! Components this host can run, by digest.
//!
//! Bytes come from the database and are hashed again; compiled code comes from
//! the local cache or the compiling child. What was loaded stays in memory as
//! long as something routes to it, or until [`LOADED_MAX`] others were used
//! since. A component that does not compile is tried once, not once a second.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use engine::Engine;
use model::Digest;
use wasmtime::component::{Component, Linker};

use crate::bindings::HandlerPre;
use crate::bindings::worker::WorkerPre;
use crate::cache::Cache;
use crate::compile::{CompileError, CompileIn, Compiler};
use crate::engine_config::WasmEngine;
use crate::host::State;
use crate::inspect::{PublishRefusal, digest};
use crate::limits::SandboxLimits;
use crate::room::{self, Needs, Room};

/// What a component of the world `worker` exports; another patch level of the
/// version is found as well.
const SERVICE: &str = "flowhost:engine/service@0.1.0";
/// Most components kept loaded without being routed to.
const LOADED_MAX: usize = 64;
/// Most verdicts remembered of components that cannot be loaded.
const REJECTED_MAX: usize = 1024;

/// A component ready to be instantiated.
pub(crate) struct Loaded {
    pub(crate) digest: Digest,
    /// What a sandbox of it occupies when it is opened.
    pub(crate) needs: Needs,
    /// Whether its sandboxes are small ones when they are opened.
    pub(crate) is_small: bool,
    guest: Guest,
}

/// A component of one of the worlds, with its imports resolved.
enum Guest {
    Handler(HandlerPre<State>),
    Service(WorkerPre<State>),
}

impl Loaded {
    /// Returns the component if it is of the world `handler`.
    pub(crate) fn handler(&self) -> Option<&HandlerPre<State>> {
        match &self.guest {
            Guest::Handler(pre) => Some(pre),
            Guest::Service(_) => None,
        }
    }

    /// Returns the component if it is of the world `worker`.
    pub(crate) fn service(&self) -> Option<&WorkerPre<State>> {
        match &self.guest {
            Guest::Handler(_) => None,
            Guest::Service(pre) => Some(pre),
        }
    }
}

/// Why a component cannot be run here.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LoadError {
    /// The component's fault: it stays so.
    #[error(transparent)]
    Rejected(PublishRefusal),
    /// The host's fault, or the database's: it may pass.
    #[error("component {0} is unavailable: {1}")]
    Unavailable(Digest, String),
}

/// The components of this host.
pub(crate) struct Registry {
    wasm: WasmEngine,
    limits: SandboxLimits,
    room: Arc<Room>,
    linker: Linker<State>,
    cache: Option<Cache>,
    compiler: Compiler,
    loaded: Mutex<HashMap<Digest, (Arc<Loaded>, u64)>>,
    rejected: Mutex<HashMap<Digest, PublishRefusal>>,
    uses: AtomicU64,
    compiles: AtomicU64,
}

impl Registry {
    /// Opens a registry of components whose sandboxes have `limits` and take their
    /// part of `room`; without a directory nothing is kept on disk.
    pub(crate) fn open(
        wasm: WasmEngine,
        limits: SandboxLimits,
        room: Arc<Room>,
        cache_dir: Option<&Path>,
        compiler: CompileIn,
    ) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(wasm.engine());
        crate::host::link(&mut linker)?;
        let cache = cache_dir
            .map(|dir| Cache::open(dir, wasm.engine()))
            .transpose()?;
        Ok(Self {
            wasm,
            limits,
            room,
            linker,
            cache,
            compiler: Compiler::new(compiler),
            loaded: Mutex::default(),
            rejected: Mutex::default(),
            uses: AtomicU64::new(0),
            compiles: AtomicU64::new(0),
        })
    }

    /// Returns how many components were compiled.
    pub(crate) fn compiles(&self) -> u64 {
        self.compiles.load(Ordering::Relaxed)
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
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let (component, used) = loaded.get_mut(digest)?;
        *used = self.uses.fetch_add(1, Ordering::Relaxed);
        Some(component.clone())
    }

    /// Returns why a component can never be loaded, if that is known.
    pub(crate) fn rejection(&self, digest: &Digest) -> Option<PublishRefusal> {
        let rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        rejected.get(digest).cloned()
    }

    /// Loads a published component, compiling it if need be.
    pub(crate) async fn prepare(
        self: &Arc<Self>,
        engine: &Engine,
        wanted: Digest,
    ) -> Result<Arc<Loaded>, LoadError> {
        if let Some(loaded) = self.known(&wanted)? {
            return Ok(loaded);
        }
        if let Some(loaded) = self.load_cached(wanted).await? {
            return Ok(loaded);
        }
        let unavailable = |why: String| LoadError::Unavailable(wanted, why);
        let bytes = engine
            .component_bytes(wanted)
            .await
            .map_err(|error| unavailable(error.to_string()))?
            .ok_or_else(|| unavailable("the database does not have it".into()))?;
        if digest(&bytes) != wanted {
            return Err(unavailable(
                "its bytes in the database do not match its digest; publish it again".into(),
            ));
        }
        self.compile(wanted, bytes.into()).await
    }

    /// Loads a component from its bytes, compiling it if need be.
    pub(crate) async fn load(self: &Arc<Self>, wasm: &[u8]) -> Result<Arc<Loaded>, LoadError> {
        let digest = digest(wasm);
        if let Some(loaded) = self.known(&digest)? {
            return Ok(loaded);
        }
        if let Some(loaded) = self.load_cached(digest).await? {
            return Ok(loaded);
        }
        self.compile(digest, wasm.into()).await
    }

    fn known(&self, digest: &Digest) -> Result<Option<Arc<Loaded>>, LoadError> {
        match self.rejection(digest) {
            Some(refusal) => Err(LoadError::Rejected(refusal)),
            None => Ok(self.ready(digest)),
        }
    }

    async fn load_cached(
        self: &Arc<Self>,
        digest: Digest,
    ) -> Result<Option<Arc<Loaded>>, LoadError> {
        let this = self.clone();
        let found = blocking(digest, move || {
            let cache = this.cache.as_ref()?;
            let code = cache.get(&digest)?;
            match this.deserialize(digest, &code) {
                Ok(Ok(loaded)) => Some(Ok(loaded)),
                Ok(Err(refusal)) => Some(Err(this.reject(digest, refusal))),
                Err(error) => {
                    tracing::warn!(%digest, %error, "cached code does not load; it is compiled again");
                    cache.remove(&digest);
                    None
                }
            }
        })
        .await?;
        found
            .map(|loaded| loaded.map(|loaded| self.keep(loaded)))
            .transpose()
    }

    async fn compile(
        self: &Arc<Self>,
        digest: Digest,
        wasm: Arc<[u8]>,
    ) -> Result<Arc<Loaded>, LoadError> {
        self.compiles.fetch_add(1, Ordering::Relaxed);
        let code = match self.compiler.compile(self.wasm.engine(), wasm).await {
            Ok(code) => code,
            Err(CompileError::Rejected(why)) => {
                return Err(self.reject(digest, PublishRefusal::DoesNotCompile(why)));
            }
            Err(CompileError::Unable(why)) => return Err(LoadError::Unavailable(digest, why)),
        };
        let this = self.clone();
        let loaded = blocking(digest, move || {
            let loaded = this.deserialize(digest, &code)?;
            if let Some(cache) = &this.cache
                && let Err(error) = cache.put(&digest, &code)
            {
                tracing::warn!(%digest, %error, "compiled code could not be cached; it is compiled again at the next start");
            }
            Ok::<_, wasmtime::Error>(loaded)
        })
        .await?;
        match loaded {
            Ok(Ok(loaded)) => Ok(self.keep(loaded)),
            Ok(Err(refusal)) => Err(self.reject(digest, refusal)),
            Err(error) => {
                Err(self.reject(digest, PublishRefusal::DoesNotLink(format!("{error:#}"))))
            }
        }
    }

    /// Loads compiled code and resolves its imports, once for all instances. Refuses a
    /// component of which no sandbox could ever be opened.
    ///
    /// `sealed` must come from the cache, which checked its MAC, or from the
    /// compiler this host started.
    fn deserialize(
        &self,
        digest: Digest,
        sealed: &[u8],
    ) -> wasmtime::Result<Result<Loaded, PublishRefusal>> {
        let (code, needs) = room::split(sealed)
            .ok_or_else(|| wasmtime::Error::msg("it does not say what the component needs"))?;
        if let Some(why) = self.never_opens(&needs) {
            return Ok(Err(PublishRefusal::NeverOpens(why)));
        }
        // SAFETY: these bytes were made by `precompile_component` on behalf of
        // this host: they come straight from its compiler, or from a file
        // whose MAC under this host's key was checked on these very bytes.
        let component = unsafe { Component::deserialize(self.wasm.engine(), code) }?;
        let pre = self.linker.instantiate_pre(&component)?;
        let is_service = component.get_export_index(None, SERVICE).is_some();
        let guest = if is_service {
            Guest::Service(WorkerPre::new(pre)?)
        } else {
            Guest::Handler(HandlerPre::new(pre)?)
        };
        Ok(Ok(Loaded {
            digest,
            is_small: Room::is_small(&needs.wanted(&self.limits, 0)),
            needs,
            guest,
        }))
    }

    fn never_opens(&self, needs: &Needs) -> Option<String> {
        needs
            .exceed(&self.limits)
            .or_else(|| self.room.never_fits(&needs.wanted(&self.limits, 0)))
    }

    fn keep(&self, loaded: Loaded) -> Arc<Loaded> {
        let component = Arc::new(loaded);
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.insert(component.digest, (component.clone(), used));
        if loaded.len() > LOADED_MAX {
            let oldest = loaded.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                loaded.remove(&oldest);
            }
        }
        component
    }

    fn reject(&self, digest: Digest, refusal: PublishRefusal) -> LoadError {
        let mut rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        if rejected.len() >= REJECTED_MAX {
            rejected.clear();
        }
        rejected.insert(digest, refusal.clone());
        LoadError::Rejected(refusal)
    }
}

async fn blocking<T: Send + 'static>(
    digest: Digest,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LoadError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| LoadError::Unavailable(digest, error.to_string()))
}
