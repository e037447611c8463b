//! Ends processes of a cluster that no host supervises any more.
//!
//! A backend busy computing does not notice that its postmaster was killed, and
//! while it lives the next server refuses to start ("pre-existing shared memory
//! block is still in use"). Each backend leads its own session, so the process
//! group does not find it; its working directory does. Only the holder of the
//! host lock may sweep, since then no living host owns such a process.
//!
//! `postmaster.pid` is never removed: Postgres uses it to find shared memory that
//! is still in use.

use super::list::in_dir;
use crate::error::{Error, doing};
use crate::owner::Owner;
use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long an orphaned postmaster gets for its clean shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// How long any process gets between SIGQUIT and SIGKILL.
const QUIT_GRACE: Duration = Duration::from_secs(1);
/// How long the kernel gets to reap what was killed.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// Ends the processes of a previous host. An orphaned postmaster is asked to shut
/// down first, since a clean shutdown spares the next start a recovery.
pub(crate) fn end_abandoned(pgdata: &Path, owner: &Owner) -> Result<(), Error> {
    let orphans = in_dir(pgdata, owner)?;
    if let Some(postmaster) = postmaster_pid(pgdata).filter(|pid| orphans.contains(pid)) {
        tracing::warn!(
            postmaster,
            "a previous host left its Postgres running; stopping it"
        );
        signal(&[postmaster], libc::SIGINT);
        wait_until_gone(pgdata, owner, SHUTDOWN_GRACE)?;
    }
    end_orphans(pgdata, owner)
}

/// Ends the processes of a postmaster that has died.
pub(crate) fn end_orphans(pgdata: &Path, owner: &Owner) -> Result<(), Error> {
    // Idle backends notice by themselves, within milliseconds.
    for (number, grace) in [(libc::SIGQUIT, QUIT_GRACE), (libc::SIGKILL, KILL_GRACE)] {
        let orphans = in_dir(pgdata, owner)?;
        if orphans.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            signal = number,
            ?orphans,
            "ending Postgres processes without a postmaster"
        );
        signal(&orphans, number);
        if wait_until_gone(pgdata, owner, grace)? {
            return Ok(());
        }
    }
    let survivors = in_dir(pgdata, owner)?;
    Err(doing("end the processes in", pgdata)(io::Error::other(
        format!("{survivors:?} survive SIGKILL"),
    )))
}

/// The pid in the first line of `postmaster.pid`.
pub(crate) fn postmaster_pid(pgdata: &Path) -> Option<libc::pid_t> {
    let text = fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

fn signal(pids: &[libc::pid_t], number: libc::c_int) {
    for &pid in pids {
        // SAFETY: kill touches no memory. A process that has ended since it was
        // listed is not an error.
        unsafe { libc::kill(pid, number) };
    }
}

fn wait_until_gone(pgdata: &Path, owner: &Owner, grace: Duration) -> Result<bool, Error> {
    let deadline = Instant::now() + grace;
    loop {
        if in_dir(pgdata, owner)?.is_empty() {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(20));
    }
}
