//! How a program of the Postgres installation is run: as the server's user, in a
//! process group of its own, and ended with the host.

use crate::owner::Owner;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Prepares a program to run as `owner` with an empty environment.
///
/// When `on_parent_death` is given, the kernel sends that signal to the program
/// when the *thread* that spawned it ends, so a server is spawned from a thread that
/// does not end before it. (Linux; elsewhere the sweep at the next start ends it.)
pub(crate) fn command(
    program: &Path,
    owner: &Owner,
    on_parent_death: Option<libc::c_int>,
) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", "/usr/bin:/bin")
        // The host's directory may be closed to the server's user, and Postgres
        // insists on knowing where it is.
        .current_dir("/")
        .stdin(Stdio::null())
        // Ctrl-C must reach the host alone, which needs the server to drain.
        .process_group(0);
    if owner.dropped {
        // The standard library clears the supplementary groups with it.
        command.gid(owner.gid).uid(owner.uid);
    }
    if let Some(signal) = on_parent_death {
        let host = std::process::id();
        // SAFETY: the closure runs between fork and exec and makes only
        // async-signal-safe calls. It runs after the uid has changed, which
        // would have cleared the setting.
        unsafe { command.pre_exec(move || die_with_parent(host, signal)) };
    }
    command
}

#[cfg(target_os = "linux")]
fn die_with_parent(host: u32, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: prctl with these arguments, getppid and _exit touch no memory.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, signal as libc::c_ulong) != 0 {
            return Err(io::Error::last_os_error());
        }
        // The host may have died before the call above took effect.
        if libc::getppid() as u32 != host {
            libc::_exit(1);
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_host: u32, _signal: libc::c_int) -> io::Result<()> {
    Ok(())
}
