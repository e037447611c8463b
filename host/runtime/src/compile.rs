//! Compiles components, in a child process with limits.
//!
//! A compiler can be made to use minutes and gigabytes by a small file, so it
//! runs where it can be stopped: in a process of its own that sees neither the
//! environment nor the database, one at a time, after everything else. The
//! child reads the component on standard input and writes compiled code to
//! standard output.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::Semaphore;
use wasmtime::Engine;

/// The argument that makes the program compile and nothing else.
pub const COMPILE_ARGUMENT: &str = "__compile";

const ADDRESS_SPACE_BYTES_MAX: u64 = 4 << 30;
const CPU_SECONDS_MAX: u64 = 60;
const WALL_MAX: Duration = Duration::from_secs(180);
const NICENESS: i32 = 10;
const FAILED: u8 = 3;

/// Where components are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompileIn {
    /// In a child process of this program, called with [`COMPILE_ARGUMENT`].
    Child(PathBuf),
    /// In this process, without limits: for components of one's own, as a
    /// developer runs them, and for tests.
    Process,
}

/// Why there is no compiled code.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CompileError {
    /// The component's fault: it will fail again.
    #[error("{0}")]
    Rejected(String),
    /// The host's fault.
    #[error("the compiler could not be run: {0}")]
    Unable(String),
}

/// Compiles components, one at a time.
#[derive(Debug)]
pub(crate) struct Compiler {
    place: CompileIn,
    turn: Semaphore,
}

impl Compiler {
    pub(crate) fn new(place: CompileIn) -> Self {
        Self {
            place,
            turn: Semaphore::new(1),
        }
    }

    /// Compiles a component for `engine`; what it needs stands behind the code.
    pub(crate) async fn compile(
        &self,
        engine: &Engine,
        wasm: std::sync::Arc<[u8]>,
    ) -> Result<Vec<u8>, CompileError> {
        let _turn = self
            .turn
            .acquire()
            .await
            .map_err(|closed| CompileError::Unable(closed.to_string()))?;
        match &self.place {
            CompileIn::Child(program) => in_child(program, &wasm).await,
            CompileIn::Process => {
                let engine = engine.clone();
                tokio::task::spawn_blocking(move || compiled(&engine, &wasm))
                    .await
                    .map_err(|panicked| CompileError::Rejected(panicked.to_string()))?
                    .map_err(|error| CompileError::Rejected(format!("{error:#}")))
            }
        }
    }
}

async fn in_child(program: &PathBuf, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
    let unable =
        |error: std::io::Error| CompileError::Unable(format!("{}: {error}", program.display()));
    let mut child = Command::new(program)
        .arg(COMPILE_ARGUMENT)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(unable)?;
    let mut input = child
        .stdin
        .take()
        .ok_or_else(|| CompileError::Unable("it has no standard input".into()))?;
    let feed = async {
        // A child that died early closes its end; its status says why.
        let _ = input.write_all(wasm).await;
        drop(input);
    };
    let work = async { tokio::join!(feed, child.wait_with_output()).1 };
    let output = tokio::time::timeout(WALL_MAX, work)
        .await
        .map_err(|_| {
            CompileError::Rejected(format!("it took longer than {} s", WALL_MAX.as_secs()))
        })?
        .map_err(unable)?;
    if output.status.success() && !output.stdout.is_empty() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(verdict(output.status, said.trim()))
}

/// Tells a component that does not compile from a compiler that does not run.
fn verdict(status: ExitStatus, said: &str) -> CompileError {
    use std::os::unix::process::ExitStatusExt as _;
    if status.code() == Some(i32::from(FAILED)) {
        return CompileError::Rejected(said.to_owned());
    }
    match status.signal() {
        Some(libc::SIGXCPU | libc::SIGKILL) => CompileError::Rejected(format!(
            "it took more than {CPU_SECONDS_MAX} s of processor time"
        )),
        Some(libc::SIGABRT | libc::SIGSEGV) => CompileError::Rejected(format!(
            "the compiler ran out of memory ({} GiB) or failed: {said}",
            ADDRESS_SPACE_BYTES_MAX >> 30
        )),
        _ if said.contains("panicked at") => CompileError::Rejected(said.to_owned()),
        _ => CompileError::Unable(format!("it ended with {status}: {said}")),
    }
}

/// The child: compiles standard input to standard output. To be called by the
/// program when it is started with [`COMPILE_ARGUMENT`].
pub fn compile_main() -> ExitCode {
    match restrict().and_then(|()| compile_stdin()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The host reads this; there is no other place to report to.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn compile_stdin() -> wasmtime::Result<()> {
    let mut wasm = Vec::new();
    std::io::stdin().lock().read_to_end(&mut wasm)?;
    let mut config = crate::engine_config::config();
    // One thread, so that compiling never takes the machine from the guests.
    config.parallel_compilation(false);
    let compiled = compiled(&Engine::new(&config)?, &wasm)?;
    let mut out = std::io::stdout().lock();
    out.write_all(&compiled)?;
    out.flush()?;
    Ok(())
}

fn compiled(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let needs = crate::room::count(wasm)?;
    let code = engine.precompile_component(wasm)?;
    Ok(crate::room::sealed(code, &needs))
}

/// Takes from this process what compiling does not need.
fn restrict() -> wasmtime::Result<()> {
    for (resource, max) in [
        (libc::RLIMIT_AS, ADDRESS_SPACE_BYTES_MAX),
        (libc::RLIMIT_CPU, CPU_SECONDS_MAX),
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_NOFILE, 64),
    ] {
        let limit = libc::rlimit {
            rlim_cur: max,
            rlim_max: max,
        };
        // SAFETY: `limit` is a valid `rlimit` that outlives the call.
        if unsafe { libc::setrlimit(resource, &limit) } != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
    }
    // SAFETY: takes no pointers. Failing to be nice is no reason not to work.
    unsafe { libc::nice(NICENESS) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    #[test]
    fn a_component_that_does_not_compile_is_told_from_a_compiler_that_does_not_run() {
        let rejected = |raw| {
            matches!(
                verdict(ExitStatus::from_raw(raw), "x"),
                CompileError::Rejected(_)
            )
        };
        assert!(rejected(i32::from(FAILED) << 8));
        assert!(rejected(libc::SIGXCPU));
        assert!(rejected(libc::SIGABRT));
        assert!(!rejected(1 << 8));
        assert!(!rejected(libc::SIGTERM));
    }

    #[tokio::test]
    async fn garbage_is_rejected_and_a_missing_compiler_is_the_hosts_fault() {
        let engine = Engine::new(&crate::engine_config::config()).unwrap();
        let here = Compiler::new(CompileIn::Process);
        let garbage: std::sync::Arc<[u8]> = b"garbage".as_slice().into();
        assert!(matches!(
            here.compile(&engine, garbage.clone()).await,
            Err(CompileError::Rejected(_))
        ));
        let missing = Compiler::new(CompileIn::Child("/nonexistent/compiler".into()));
        assert!(matches!(
            missing.compile(&engine, garbage).await,
            Err(CompileError::Unable(_))
        ));
    }
}
