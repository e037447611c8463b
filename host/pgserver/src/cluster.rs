//! A running cluster, from locking its data root to unlocking it.
//!
//! Starting takes the host lock first: everything after it (sweeping leftover
//! processes, making the cluster, spawning the server) is safe only for the one
//! holder. The lock is released last.

use crate::binaries::find;
use crate::error::{Error, doing};
use crate::initdb;
use crate::lock::HostLock;
use crate::owner::Owner;
use crate::process;
use crate::server::{Launcher, Log, Supervisor};
use crate::settings::{PORT, Settings, USER};
use crate::socket;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A running cluster. Dropping it stops the server, as [`Cluster::stop`] does,
/// but only logs a failure.
#[derive(Debug)]
pub struct Cluster {
    // Fields are dropped in this order: the server first, the lock last.
    supervisor: Supervisor,
    _lock: HostLock,
}

/// Starts the cluster in `settings.data_dir`, after making it if there is none,
/// and returns when it serves. Blocks: about three seconds the first time, a
/// quarter of a second later, longer when there is a log to recover from.
///
/// # Errors
/// Any [`Error`]; nothing is left running then.
pub fn start(settings: Settings) -> Result<Cluster, Error> {
    let settings = Settings {
        data_dir: make_data_dir(&settings.data_dir)?,
        ..settings
    };
    let lock = HostLock::take(&settings.data_dir)?;
    let owner = Owner::choose(&settings.data_dir)?;
    open_to(&settings.data_dir, &owner)?;
    owner.can_reach(&settings.data_dir)?;
    let binaries = find(&settings)?;
    owner.record(&settings.data_dir)?;
    process::end_abandoned(&settings.pgdata(), &owner)?;
    let socket_dir = socket::prepare(&settings.data_dir, &owner)?;
    initdb::ensure(&settings, &binaries, &owner)?;
    let log = Log {
        path: settings.data_dir.join("postgres.log"),
    };
    let supervisor = Supervisor::start(Launcher {
        settings,
        binaries,
        owner,
        socket_dir,
        log,
    })?;
    Ok(Cluster {
        supervisor,
        _lock: lock,
    })
}

impl Cluster {
    /// The directory of the Unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.supervisor.launcher().socket_dir
    }

    /// The port in the socket's file name. There is no TCP port.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// The role to connect as; it owns everything and needs no password.
    pub fn user(&self) -> &str {
        USER
    }

    /// A connection URL, for client libraries and for `psql`.
    pub fn url(&self, database: &str) -> String {
        url(self.socket_dir(), database)
    }

    /// The data root, absolute and without links.
    pub fn data_dir(&self) -> &Path {
        &self.supervisor.launcher().settings.data_dir
    }

    /// The server's version, for example `18.4`.
    pub fn version(&self) -> &str {
        &self.supervisor.launcher().binaries.version
    }

    /// The path of the server's log file.
    pub fn log_path(&self) -> &Path {
        &self.supervisor.launcher().log.path
    }

    /// How many times the server came back after it ended unexpectedly.
    pub fn restarts(&self) -> u64 {
        self.supervisor.restarts()
    }

    /// Whether the server serves, as its supervisor knows; the server is not asked.
    ///
    /// # Errors
    /// [`Error::Restarting`] for the moment, [`Error::Failing`] when it keeps
    /// failing; it is started again every few seconds all the same.
    pub fn healthy(&self) -> Result<(), Error> {
        self.supervisor.healthy()
    }

    /// Stops the server: its sessions end, and it writes a checkpoint.
    ///
    /// # Errors
    /// [`Error::StopForced`] when it had to be killed. It has ended then, too.
    pub fn stop(mut self) -> Result<(), Error> {
        self.supervisor.stop()
    }
}

/// Every byte outside the unreserved set is escaped, so that no path can end
/// the parameter it stands in. The port is named because clients otherwise take
/// it from `PGPORT`.
fn url(socket_dir: &Path, database: &str) -> String {
    let host = escaped(socket_dir.as_os_str().as_bytes());
    let database = escaped(database.as_bytes());
    format!("postgresql:///{database}?host={host}&port={PORT}&user={USER}")
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Makes the data root and returns its absolute path, links resolved.
fn make_data_dir(data_dir: &Path) -> Result<PathBuf, Error> {
    if let Some(parent) = data_dir.parent() {
        fs::create_dir_all(parent).map_err(doing("create", parent))?;
    }
    match DirBuilder::new().mode(0o700).create(data_dir) {
        Err(error) if !data_dir.is_dir() => Err(doing("create", data_dir)(error)),
        _ => fs::canonicalize(data_dir).map_err(doing("find", data_dir)),
    }
}

/// Lets the server's user pass through root's own data directory, to `pg` and
/// `run`, which are closed to everyone else. Directories above it are not ours
/// to change.
fn open_to(data_dir: &Path, owner: &Owner) -> Result<(), Error> {
    let meta = fs::metadata(data_dir).map_err(doing("inspect", data_dir))?;
    if !owner.dropped || owner.can_enter(&meta) || meta.uid() != 0 {
        return Ok(());
    }
    let mode = meta.mode()
        | if meta.gid() == owner.gid {
            0o010
        } else {
            0o001
        };
    fs::set_permissions(data_dir, Permissions::from_mode(mode))
        .map_err(doing("change the mode of", data_dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_escapes_what_would_end_a_parameter() {
        assert_eq!(
            url(Path::new("/a b/c&d"), "x?y"),
            "postgresql:///x%3Fy?host=%2Fa%20b%2Fc%26d&port=5432&user=flowhost"
        );
    }
}
