//! One run of the `postgres` program: spawned, then waited for until it serves.

use super::Log;
use crate::binaries::Binaries;
use crate::error::{Error, doing};
use crate::owner::Owner;
use crate::process;
use crate::settings::{Settings, USER};
use crate::socket;
use crate::wire::{Connection, WireError};
use std::io;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

/// The settings without which an acknowledged commit may be lost.
const DURABILITY: [&str; 3] = ["fsync", "synchronous_commit", "full_page_writes"];

/// How long one exchange with the server may take. Making a database writes and
/// syncs some 9 MB, which has been seen to take seconds on a busy disk.
const EXCHANGE: Duration = Duration::from_secs(60);

/// Everything needed to start the server of one cluster, again and again.
#[derive(Debug)]
pub(crate) struct Launcher {
    pub settings: Settings,
    pub binaries: Binaries,
    pub owner: Owner,
    pub socket_dir: PathBuf,
    pub log: Log,
}

/// A spawned server which has not been reaped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where its lines in the log begin.
    pub log_from: u64,
}

/// The answer of a server that was asked whether it serves.
#[derive(Debug)]
pub(crate) enum Readiness {
    Serving,
    /// It answers, but is starting up, recovering or full.
    Busy(WireError),
    /// It does not answer.
    Silent(WireError),
}

impl Launcher {
    /// Spawns the server. The kernel stops it when the calling thread ends.
    ///
    /// The caller has swept: no process works in the cluster. So if the pid in
    /// `postmaster.pid` exists, it is a zombie that is never reaped or, after a
    /// reboot or in a new container, an unrelated process; either makes Postgres
    /// refuse to start. `PG_GRANDPARENT_PID`, by which `pg_ctl` has Postgres
    /// disregard the shell that started it, has it disregard that pid. Its check
    /// for shared memory still in use remains.
    pub fn spawn(&self) -> Result<Server, Error> {
        let program = self.binaries.program("postgres");
        let (log, log_from) = self.log.open()?;
        let log_again = log.try_clone().map_err(doing("open", &self.log.path))?;
        let mut command = process::command(&program, &self.owner, Some(libc::SIGINT));
        if let Some(pid) = process::postmaster_pid(&self.settings.pgdata()) {
            command.env("PG_GRANDPARENT_PID", pid.to_string());
        }
        let child = command
            .args(self.settings.server_args(&self.socket_dir))
            .stdout(log_again)
            .stderr(log)
            .spawn()
            .map_err(doing("run", &program))?;
        Ok(Server { child, log_from })
    }

    /// Asks the server once. When it serves, the host's database exists and, in
    /// a durable cluster, the settings durability rests on are on.
    pub fn ask(&self) -> Result<Readiness, Error> {
        match self.check() {
            Ok(()) => Ok(Readiness::Serving),
            Err(Error::Wire(error @ WireError::Io(_))) => Ok(Readiness::Silent(error)),
            Err(Error::Wire(error)) if is_busy(&error) => Ok(Readiness::Busy(error)),
            Err(error) => Err(error),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let socket = socket::socket_file(&self.socket_dir);
        let mut connection = Connection::open(&socket, USER, "postgres", EXCHANGE)?;
        let present = format!("SELECT 1 FROM pg_database WHERE datname = '{USER}'");
        if connection.query(&present)?.is_empty() {
            connection.query(&format!("CREATE DATABASE {USER}"))?;
        }
        if self.settings.durable {
            // Asked in the host's own database, whose settings may differ from
            // the server's.
            let mut connection = Connection::open(&socket, USER, USER, EXCHANGE)?;
            for setting in DURABILITY {
                let value = show(&mut connection, setting)?;
                if value != "on" {
                    return Err(Error::Unsafe { setting, value });
                }
            }
        }
        Ok(())
    }
}

impl Server {
    pub fn pid(&self) -> libc::pid_t {
        self.child.id() as libc::pid_t
    }

    /// Whether the server has ended. Does not reap it, so that its pid stays
    /// its own and can still be signalled safely.
    pub fn has_ended(&self) -> bool {
        self.wait_unreaped(libc::WNOHANG)
    }

    /// Blocks until the server has ended, without reaping it.
    pub fn wait_for_end(&self) {
        while !self.wait_unreaped(0) {}
    }

    /// Reaps a server that has ended and returns how it did.
    pub fn reap(mut self) -> String {
        match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => format!("exit status unknown: {error}"),
        }
    }

    fn wait_unreaped(&self, flags: libc::c_int) -> bool {
        // SAFETY: siginfo_t is plain data for which zeroes are valid, and
        // waitid writes only into it.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOWAIT | flags;
            match libc::waitid(libc::P_PID, self.child.id(), &mut info, options) {
                0 => info.si_pid() != 0,
                // No such child: another part of the host reaped it.
                _ => io::Error::last_os_error().raw_os_error() == Some(libc::ECHILD),
            }
        }
    }
}

fn show(connection: &mut Connection, setting: &str) -> Result<String, WireError> {
    let rows = connection.query(&format!("SHOW {setting}"))?;
    rows.into_iter()
        .flatten()
        .flatten()
        .next()
        .ok_or_else(|| WireError::Unexpected(format!("no value for {setting}")))
}

/// Starting up, stopping or recovering; or all connections taken, as when every
/// pool comes back at once after a crash.
fn is_busy(error: &WireError) -> bool {
    matches!(error, WireError::Refused { sqlstate, .. }
        if matches!(sqlstate.as_str(), "57P03" | "57P02" | "57P01" | "53300"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_starts_up_is_busy_and_a_missing_role_is_not() {
        let refused = |sqlstate: &str| WireError::Refused {
            sqlstate: sqlstate.to_owned(),
            message: String::new(),
        };
        assert!(is_busy(&refused("57P03")));
        assert!(!is_busy(&refused("28000")));
    }
}
