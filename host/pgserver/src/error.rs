//! Everything that can go wrong with the cluster, in words that name the
//! directory, process or setting concerned and what a person can do.

use crate::wire::WireError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A fault while finding, initializing, starting, supervising or stopping
/// Postgres.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another host holds the data directory.
    #[error(
        "already running, pid {}: another host uses {}; stop it, or choose another data directory",
        pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string()),
        data_dir.display()
    )]
    AlreadyRunning {
        /// The data root that is in use.
        data_dir: PathBuf,
        /// The process id in `host.lock`; absent if it cannot be read.
        pid: Option<u32>,
    },

    /// No usable server was found.
    #[error(
        "no usable Postgres server (majors 15 to 18) was found; tried:\n{}{}",
        list(tried),
        hint()
    )]
    NotFound {
        /// Every place inspected, in order.
        tried: Vec<Tried>,
    },

    /// The cluster was made by a major version which is not installed.
    #[error(
        "the cluster in {} was made by Postgres {needed}, but only other versions were found; \
         install Postgres {needed}, or move the data with pg_dump or pg_upgrade; tried:\n{}",
        pgdata.display(), list(tried)
    )]
    WrongMajor {
        /// The directory of the cluster.
        pgdata: PathBuf,
        /// The major in its `PG_VERSION`.
        needed: u32,
        /// Every place inspected, in order.
        tried: Vec<Tried>,
    },

    /// The server's user cannot enter a directory on the way to a path.
    #[error(
        "{user} cannot enter {}, so Postgres, which refuses to run as root, cannot use {}; \
         choose another place (/var/lib/flowhost) or allow it with: chmod o+x {}",
        dir.display(), path.display(), dir.display()
    )]
    NotTraversable {
        /// The directory it cannot enter.
        dir: PathBuf,
        /// The path that lies below it.
        path: PathBuf,
        /// The user the server runs as.
        user: String,
    },

    /// The cluster belongs to another user than the one the server would run as.
    #[error(
        "{} belongs to uid {found}, but Postgres would run as uid {wanted}; \
         run the host as that user, or: chown -R {wanted} {}",
        pgdata.display(), pgdata.display()
    )]
    WrongOwner {
        /// The directory of the cluster.
        pgdata: PathBuf,
        /// The uid that owns it.
        found: u32,
        /// The uid the server would run as.
        wanted: u32,
    },

    /// The host runs as root, and there is no other user to run the server.
    #[error("Postgres refuses to run as root, and neither `postgres` nor `nobody` is a user here")]
    NoUser,

    /// `initdb` refuses a uid without a name.
    #[error(
        "initdb needs a user name for uid {uid}, and there is none in the passwd database; add one"
    )]
    Nameless {
        /// The uid without a name.
        uid: u32,
    },

    /// The cluster's directory exists and is not a cluster.
    #[error("{} is neither empty nor a Postgres cluster (no PG_VERSION); move it away", pgdata.display())]
    NotACluster {
        /// The directory in its place.
        pgdata: PathBuf,
    },

    /// The socket directory cannot be created or is not private.
    #[error("{} cannot be the socket directory: {why}", dir.display())]
    SocketDir {
        /// The path of the directory.
        dir: PathBuf,
        /// What is wrong with it.
        why: String,
    },

    /// The program `initdb` failed.
    #[error("initdb failed ({status}):\n{output}")]
    Initdb {
        /// The exit status of the program.
        status: String,
        /// Everything the program printed.
        output: String,
    },

    /// The server ended before it accepted a connection.
    #[error("Postgres ended before it was ready ({status}); the last lines of {}:\n{tail}", log.display())]
    Ended {
        /// The exit status of the program.
        status: String,
        /// The path of its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },

    /// The server did not accept a connection in time.
    #[error(
        "Postgres did not accept connections within {waited_s} s ({last}); the last lines of {}:\n{tail}",
        log.display()
    )]
    NotReady {
        /// How long the host waited, in seconds.
        waited_s: u64,
        /// Why the last attempt failed.
        last: String,
        /// The path of its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },

    /// The server runs, but a setting that durability rests on is off.
    #[error("Postgres runs with {setting} = {value}, so commits could be lost; it must be on")]
    Unsafe {
        /// The name of the setting.
        setting: &'static str,
        /// The value of the setting.
        value: String,
    },

    /// The server keeps ending; it is started again every few seconds.
    #[error(
        "Postgres failed {failures} times in a row and is tried again every few seconds; the last lines of {}:\n{tail}",
        log.display()
    )]
    Failing {
        /// The number of failures in a row.
        failures: u32,
        /// The path of its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },

    /// The server ended and is being restarted.
    #[error("Postgres ended unexpectedly and is being restarted")]
    Restarting,

    /// The server was stopped.
    #[error("Postgres was stopped")]
    Stopped,

    /// The server did not stop when it was asked to and was killed.
    #[error(
        "Postgres did not stop within {waited_s} s and was killed; it will recover at its next start"
    )]
    StopForced {
        /// How long the host waited, in seconds.
        waited_s: u64,
    },

    /// No home directory is set, from which the default would be derived.
    #[error("neither HOME nor the XDG variables are set; name a data directory")]
    NoHome,

    /// The server gave an unexpected answer.
    #[error(transparent)]
    Wire(#[from] WireError),

    /// A file or process operation failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// The operation, as a verb.
        what: &'static str,
        /// The path it was applied to.
        path: PathBuf,
        /// Why the operation failed.
        source: io::Error,
    },
}

/// A place where a server was searched for, and why it was rejected.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The rule that names the place.
    pub rule: &'static str,
    /// The directory, or the pattern that matched none.
    pub place: PathBuf,
    /// Why the place was rejected.
    pub why: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.place.display(), self.why)
    }
}

fn list(tried: &[Tried]) -> String {
    tried.iter().map(|one| format!("  {one}\n")).collect()
}

fn hint() -> &'static str {
    if cfg!(target_os = "macos") {
        "install one with: make postgres   (or: brew install postgresql@18)"
    } else {
        "install one with: make postgres   (or: apt-get install postgresql)"
    }
}

/// Names the operation and the path of an `io::Error`.
pub(crate) fn doing(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io {
        what,
        path: path.to_owned(),
        source,
    }
}
