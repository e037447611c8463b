//! The compiler of this host: one component at a time in each of two queues.

use std::sync::Arc;
use std::time::Duration;

use model::{Digest, QUOTED_TEXT_BYTES_MAX, truncated};
use wasmtime::Engine;

use super::CompileProgress;
use super::child::{self, CompileLimits};
use super::queue::CompileQueue;
use crate::component::inspect::PublishRefusal;
use crate::settings::{CodeLimits, CompileIn};

/// Most bytes of a component that enters the queue of small ones. What compilers of Rust
/// and C make is far below, interpreters are above.
pub(crate) const SMALL_BYTES_MAX: usize = 1 << 20;
/// Processor time in the queue of small components; one that exceeds it moves to the other.
const SMALL_CPU_SECONDS: u64 = 5;
const SMALL_WALL: Duration = Duration::from_secs(15);
const SMALL_MEMORY_BYTES: u64 = 1 << 30;

/// Why a component was not compiled.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CompileError {
    /// The compiler refused the component, and will again.
    #[error("{0}")]
    Rejected(String),
    /// It took more than this host gives, or crashed the compiler; another try may end
    /// otherwise.
    #[error("{0}")]
    Undecided(PublishRefusal),
    /// This host was too busy to finish it in time.
    #[error("the compiler was stopped: {0}")]
    Slow(String),
    /// This host failed to run the compiler.
    #[error("the compiler could not be run: {0}")]
    Unable(String),
}

/// Compiles components, one at a time in each queue.
#[derive(Debug)]
pub(crate) struct Compiler {
    place: CompileIn,
    allowed: CompileLimits,
    small: CompileQueue,
    large: CompileQueue,
}

impl Compiler {
    pub(crate) fn new(place: CompileIn, limits: &CodeLimits) -> Self {
        let cpu_seconds = u64::from(limits.compile_cpu_ms_max).div_ceil(1000).max(1);
        Self {
            place,
            allowed: CompileLimits {
                cpu_seconds,
                memory_bytes: limits.compile_memory_bytes_max,
                // A child gives way to everything else, so it may take much
                // longer than it computes.
                wall: Duration::from_secs(cpu_seconds.saturating_mul(4).saturating_add(60)),
                output_bytes: limits.compiled_bytes_max,
            },
            small: CompileQueue::new(),
            large: CompileQueue::new(),
        }
    }

    /// Compiles a component for `engine` when its turn has come.
    pub(crate) async fn compile(
        &self,
        engine: &Engine,
        digest: Digest,
        wasm: Arc<[u8]>,
    ) -> Result<Vec<u8>, CompileError> {
        if wasm.len() <= SMALL_BYTES_MAX {
            let _turn = self.small.turn(digest).await;
            let allowed = self.small_limits();
            match self.run(engine, wasm.clone(), allowed).await {
                Err(CompileError::Undecided(_) | CompileError::Slow(_))
                    if allowed != self.allowed => {}
                done => return done,
            }
        }
        let _turn = self.large.turn(digest).await;
        self.run(engine, wasm, self.allowed).await
    }

    /// Returns how far a component is that is to be compiled.
    pub(crate) fn progress(&self, digest: &Digest) -> Option<CompileProgress> {
        self.large
            .progress(digest)
            .or_else(|| self.small.progress(digest))
    }

    /// Returns how many components are compiled or wait for it.
    pub(crate) fn queued(&self) -> usize {
        self.small.len() + self.large.len()
    }

    fn small_limits(&self) -> CompileLimits {
        CompileLimits {
            cpu_seconds: self.allowed.cpu_seconds.min(SMALL_CPU_SECONDS),
            memory_bytes: self.allowed.memory_bytes.min(SMALL_MEMORY_BYTES),
            wall: self.allowed.wall.min(SMALL_WALL),
            ..self.allowed
        }
    }

    async fn run(
        &self,
        engine: &Engine,
        wasm: Arc<[u8]>,
        allowed: CompileLimits,
    ) -> Result<Vec<u8>, CompileError> {
        match &self.place {
            CompileIn::Child(program) => child::compile(program, &wasm, allowed).await,
            CompileIn::Process => {
                let engine = engine.clone();
                let compiled =
                    tokio::task::spawn_blocking(move || child::code_and_footprint(&engine, &wasm))
                        .await
                        .map_err(|panicked| CompileError::Unable(panicked.to_string()))?;
                let code = compiled.map_err(|error| {
                    let why = format!("{error:#}");
                    CompileError::Rejected(truncated(&why, QUOTED_TEXT_BYTES_MAX).into_owned())
                })?;
                child::check_output(code.len() as u64, allowed)?;
                Ok(code)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn garbage_is_rejected_and_a_missing_compiler_is_the_hosts_fault() {
        let engine = Engine::new(&crate::component::wasm::config()).unwrap();
        let limits = CodeLimits::default();
        let here = Compiler::new(CompileIn::Process, &limits);
        let garbage: Arc<[u8]> = b"garbage".as_slice().into();
        let digest = Digest([0; 32]);
        assert!(matches!(
            here.compile(&engine, digest, garbage.clone()).await,
            Err(CompileError::Rejected(_))
        ));
        let missing = Compiler::new(CompileIn::Child("/nonexistent/compiler".into()), &limits);
        assert!(matches!(
            missing.compile(&engine, digest, garbage).await,
            Err(CompileError::Unable(_))
        ));
    }
}
