//! The compiling child, from both sides: how the host starts it, reads it and
//! judges its end, and what it does itself.
//!
//! ```text
//! host                                        child
//! spawn `__compile CPU_SECONDS MEMORY_BYTES` ─▶ limits itself
//! the component ── standard input ───────────▶ compiles
//! its length (8 bytes, little-endian), code ◀─ standard output
//! the first few kilobytes ◀── standard error ─ what is wrong
//! ```
//!
//! The host knows the length before it allocates, and never reads more than it allows.
//! Only exit code [`REFUSED`] is a verdict on the component: everything else a child can
//! die of may be caused by the host.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use model::{QUOTED_TEXT_BYTES_MAX, truncated};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use wasmtime::Engine;

use super::{CompileError, footprint};
use crate::component::inspect::PublishRefusal;
use crate::component::wasm;

/// The argument that makes the program compile and nothing else.
pub const COMPILE_ARGUMENT: &str = "__compile";

/// How much longer than its processor time a child runs before the system kills
/// it without asking.
const CPU_SLACK_SECONDS: u64 = 5;
const NICENESS: i32 = 10;
/// Most bytes of standard error that are kept.
const STDERR_BYTES_MAX: u64 = 8 << 10;

/// Exit code: the compiler refused the component.
const REFUSED: u8 = 3;
/// Exit code: something failed that says nothing about the component.
const UNABLE: u8 = 4;
/// Exit code: the memory was used up.
const MEMORY: u8 = 5;

/// Limits of compiling one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CompileLimits {
    pub(crate) cpu_seconds: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) wall: Duration,
    pub(crate) output_bytes: u64,
}

/// Compiles `wasm` in a child process of `program`.
pub(super) async fn compile(
    program: &Path,
    wasm: &[u8],
    allowed: CompileLimits,
) -> Result<Vec<u8>, CompileError> {
    let unable =
        |error: std::io::Error| CompileError::Unable(format!("{}: {error}", program.display()));
    let mut child = Command::new(program)
        .arg(COMPILE_ARGUMENT)
        .arg(allowed.cpu_seconds.to_string())
        .arg(allowed.memory_bytes.to_string())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(unable)?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut input), Some(output), Some(errors)) = pipes else {
        return Err(CompileError::Unable("it has no standard streams".into()));
    };
    let feed = async {
        // A child that died early closes its end; its status says why.
        let _ = input.write_all(wasm).await;
        drop(input);
    };
    let work = async {
        // A child that writes too much is not waited for: dropping it kills it.
        let (code, stderr, ()) = tokio::try_join!(
            read(output, allowed),
            async { Ok(read_stderr(errors).await) },
            async {
                feed.await;
                Ok(())
            },
        )?;
        let status = child.wait().await.map_err(unable)?;
        match code {
            Some(code) if status.success() => Ok(code),
            _ => Err(judge(status, stderr.trim(), allowed)),
        }
    };
    tokio::time::timeout(allowed.wall, work)
        .await
        .map_err(|_| {
            CompileError::Slow(format!(
                "it did not end within {} s: this host is too busy",
                allowed.wall.as_secs()
            ))
        })?
}

/// Reads the length of the code and the code, if both are there.
async fn read(
    mut output: impl AsyncRead + Unpin,
    allowed: CompileLimits,
) -> Result<Option<Vec<u8>>, CompileError> {
    let mut length = [0; 8];
    if output.read_exact(&mut length).await.is_err() {
        return Ok(None);
    }
    let length = u64::from_le_bytes(length);
    check_output(length, allowed)?;
    let mut code = Vec::new();
    let room = usize::try_from(length).unwrap_or(usize::MAX);
    code.try_reserve_exact(room)
        .map_err(|error| CompileError::Unable(error.to_string()))?;
    let read = output.take(length).read_to_end(&mut code).await;
    Ok((read.is_ok() && code.len() == room).then_some(code))
}

/// Refuses compiled code that is larger than allowed.
pub(super) fn check_output(bytes: u64, allowed: CompileLimits) -> Result<(), CompileError> {
    if bytes <= allowed.output_bytes {
        return Ok(());
    }
    Err(CompileError::Undecided(PublishRefusal::CompilesTooLong {
        what: format!(
            "the component compiles to {bytes} bytes; at most {} are kept",
            allowed.output_bytes
        ),
        setting: "compiled_bytes_max",
        fix: "Build it optimized for size, without tables or data it does not need",
    }))
}

/// Reads the first few kilobytes and throws the rest away.
async fn read_stderr(mut errors: impl AsyncRead + Unpin) -> String {
    let mut stderr = Vec::new();
    // What was read counts, also if the rest cannot be.
    let _ = (&mut errors)
        .take(STDERR_BYTES_MAX)
        .read_to_end(&mut stderr)
        .await;
    let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&stderr).into_owned()
}

/// Judges the component by how the compiler ended.
fn judge(status: ExitStatus, stderr: &str, allowed: CompileLimits) -> CompileError {
    use std::os::unix::process::ExitStatusExt as _;
    let stderr = truncated(stderr, QUOTED_TEXT_BYTES_MAX);
    let memory = || {
        CompileError::Undecided(PublishRefusal::CompilesTooLong {
            what: format!(
                "compiling the component takes more than {} MiB of memory",
                allowed.memory_bytes >> 20
            ),
            setting: "compile_memory_bytes_max",
            fix: "Split its largest functions",
        })
    };
    let crashed = || {
        CompileError::Undecided(PublishRefusal::DoesNotCompile(format!(
            "the compiler failed: {stderr}"
        )))
    };
    match (status.code(), status.signal()) {
        (Some(code), _) if code == i32::from(REFUSED) => {
            CompileError::Rejected(stderr.into_owned())
        }
        (Some(code), _) if code == i32::from(MEMORY) => memory(),
        (_, Some(libc::SIGXCPU)) => CompileError::Undecided(PublishRefusal::CompilesTooLong {
            what: format!(
                "compiling the component takes more than {} s of processor time on this host",
                allowed.cpu_seconds
            ),
            setting: "compile_cpu_ms_max",
            fix: "Split its largest functions, or build it optimized",
        }),
        (_, Some(libc::SIGABRT)) if stderr.contains("memory allocation of") => memory(),
        (_, Some(libc::SIGABRT | libc::SIGSEGV | libc::SIGBUS | libc::SIGILL)) => crashed(),
        _ if stderr.contains("panicked at") => crashed(),
        (_, Some(libc::SIGKILL)) => CompileError::Unable(
            "the system killed it, most likely because this machine ran out of memory".to_owned(),
        ),
        _ => CompileError::Unable(format!("it ended with {status}: {stderr}")),
    }
}

/// The child: compiles standard input to standard output. To be called by the
/// program when it is started with [`COMPILE_ARGUMENT`].
pub fn compile_main() -> ExitCode {
    let fail = |code: u8, error: &dyn std::fmt::Display| {
        // The host reads this; the child has no other way to report.
        let _ = writeln!(std::io::stderr(), "{error:#}");
        ExitCode::from(code)
    };
    let bytes = match restrict().and_then(|()| {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        Ok(bytes)
    }) {
        Ok(bytes) => bytes,
        Err(error) => return fail(UNABLE, &error),
    };
    let mut config = wasm::config();
    // One thread, so that compiling never takes the machine from the guests.
    config.parallel_compilation(false);
    let engine = match Engine::new(&config) {
        Ok(engine) => engine,
        Err(error) => return fail(UNABLE, &error),
    };
    let code = match code_and_footprint(&engine, &bytes) {
        Ok(code) => code,
        Err(error) if is_out_of_memory(&error) => return fail(MEMORY, &error),
        Err(error) => return fail(REFUSED, &error),
    };
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(&(code.len() as u64).to_le_bytes())
        .and_then(|()| out.write_all(&code))
        .and_then(|()| out.flush());
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(UNABLE, &error),
    }
}

/// Compiles a component and appends its footprint to the code.
pub(super) fn code_and_footprint(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let footprint = footprint::count(wasm)?;
    let code = engine.precompile_component(wasm)?;
    Ok(footprint::append(code, footprint))
}

fn is_out_of_memory(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|cause| cause.kind() == std::io::ErrorKind::OutOfMemory)
    })
}

/// Takes from this process what compiling does not need.
fn restrict() -> std::io::Result<()> {
    let argument = |at: usize| {
        std::env::args()
            .nth(at)
            .and_then(|text| text.parse::<u64>().ok())
            .ok_or_else(|| std::io::Error::other("processor time and memory are not given"))
    };
    let (cpu_seconds, memory_bytes) = (argument(2)?, argument(3)?);
    for (resource, soft, hard) in [
        (libc::RLIMIT_AS, memory_bytes, memory_bytes),
        // At the soft limit comes a signal that says so; at the hard one the same
        // signal as from a machine that is out of memory.
        (
            libc::RLIMIT_CPU,
            cpu_seconds,
            cpu_seconds + CPU_SLACK_SECONDS,
        ),
        (libc::RLIMIT_CORE, 0, 0),
        (libc::RLIMIT_NOFILE, 64, 64),
    ] {
        let limit = libc::rlimit {
            rlim_cur: soft,
            rlim_max: hard,
        };
        // SAFETY: `limit` is a valid `rlimit` that outlives the call.
        if unsafe { libc::setrlimit(resource, &limit) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    // SAFETY: takes no pointers. A child that keeps its priority works as well.
    unsafe { libc::nice(NICENESS) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const ALLOWED: CompileLimits = CompileLimits {
        cpu_seconds: 60,
        memory_bytes: 4 << 30,
        wall: Duration::from_secs(60),
        output_bytes: 1 << 20,
    };

    /// Runs a shell script in the place of the compiler.
    async fn by_script(script: &str, allowed: CompileLimits) -> Result<Vec<u8>, CompileError> {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("compiler");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        // Another thread's fork may hold the script open for a moment.
        loop {
            match compile(&program, b"wasm", allowed).await {
                Err(CompileError::Unable(why)) if why.contains("busy (os error 26)") => {}
                done => return done,
            }
        }
    }

    fn length(bytes: u64) -> String {
        let octal: String = bytes
            .to_le_bytes()
            .iter()
            .map(|byte| format!("\\{byte:03o}"))
            .collect();
        format!("printf '{octal}'")
    }

    #[tokio::test]
    async fn code_is_read_to_its_length() {
        let script = format!("cat >/dev/null; {}; printf code", length(4));
        assert_eq!(by_script(&script, ALLOWED).await.unwrap(), b"code");
        let cut = format!("{}; printf co", length(4));
        let error = by_script(&cut, ALLOWED).await.unwrap_err();
        assert!(matches!(error, CompileError::Unable(_)), "{error}");
    }

    #[tokio::test]
    async fn output_beyond_the_bound_is_refused_before_it_is_read() {
        let script = format!("{}; exec sleep 1000", length(1 << 40));
        let refusal = match by_script(&script, ALLOWED).await.unwrap_err() {
            CompileError::Undecided(refusal) => refusal,
            other => panic!("{other}"),
        };
        assert_eq!(refusal.code(), "component_exceeds_limits");
        let text = refusal.to_string();
        assert!(text.contains("runtime.compiled_bytes_max"), "{text}");
    }

    #[tokio::test]
    async fn only_a_verdict_of_the_compiler_is_the_components_fault() {
        let of = async |script: &str| by_script(script, ALLOWED).await.unwrap_err();
        for (script, expected) in [
            ("echo no >&2; exit 3", "rejected"),
            ("kill -XCPU $$", "undecided"),
            ("kill -ABRT $$", "undecided"),
            ("exit 5", "undecided"),
            ("kill -KILL $$", "unable"),
            ("kill -TERM $$", "unable"),
            ("exit 1", "unable"),
            ("exit 4", "unable"),
            ("true", "unable"),
        ] {
            let found = match of(script).await {
                CompileError::Rejected(_) => "rejected",
                CompileError::Undecided(_) => "undecided",
                CompileError::Slow(_) | CompileError::Unable(_) => "unable",
            };
            assert_eq!(found, expected, "{script}");
        }
        let killed = of("kill -KILL $$").await.to_string();
        assert!(killed.contains("the system killed it"), "{killed}");
    }

    #[tokio::test]
    async fn the_output_of_the_compiler_is_cut() {
        let script = "head -c 50000000 /dev/zero | tr '\\0' x >&2; exit 3";
        let said = by_script(script, ALLOWED).await.unwrap_err().to_string();
        assert!(said.len() < 3000, "{} bytes", said.len());
    }

    #[tokio::test]
    async fn a_child_that_does_not_end_is_the_hosts_fault() {
        let allowed = CompileLimits {
            wall: Duration::from_millis(100),
            ..ALLOWED
        };
        let error = by_script("exec sleep 1000", allowed).await.unwrap_err();
        assert!(matches!(error, CompileError::Slow(_)), "{error}");
    }
}
