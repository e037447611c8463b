//! What a caller decides about a cluster, its default location, and the server
//! options that follow from both.
//!
//! Options are passed on the command line, never written into
//! `postgresql.conf`: the command line wins over both that file and
//! `ALTER SYSTEM`, and an existing cluster picks up a new default at its next
//! start.

use crate::error::Error;
use crate::owner::is_root;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The role that owns the cluster, and the database made for the host.
pub(crate) const USER: &str = "flowhost";

/// The port number in the socket's file name; no TCP port is ever opened.
pub(crate) const PORT: u16 = 5432;

/// What a caller decides about a cluster.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data root. It holds the lock, the cluster, the socket and the log.
    pub data_dir: PathBuf,
    /// A directory with `postgres` and `initdb`; absent: it is searched for, as in
    /// `binaries`.
    pub bin_dir: Option<PathBuf>,
    /// Where downloaded servers are kept, as `<cache_dir>/pg/<any name>/bin`; absent:
    /// none are.
    pub cache_dir: Option<PathBuf>,
    /// Whether a commit survives a power cut. False only for temporary test
    /// clusters, since it turns `fsync`, `synchronous_commit` and `full_page_writes`
    /// off.
    pub durable: bool,
    /// Postgres' own page cache, in megabytes.
    pub shared_buffers_mb: u32,
    /// Connections the server accepts, three of which it reserves for superusers.
    pub max_connections: u32,
    /// Write-ahead log kept between checkpoints, in megabytes (a soft bound).
    pub wal_max_mb: u32,
}

impl Settings {
    /// Durable, 128 MB of buffers, 64 connections, 1024 MB of log.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            bin_dir: None,
            cache_dir: None,
            durable: true,
            shared_buffers_mb: 128,
            max_connections: 64,
            wal_max_mb: 1024,
        }
    }

    /// The cluster itself, Postgres' `PGDATA`.
    pub(crate) fn pgdata(&self) -> PathBuf {
        self.data_dir.join("pg")
    }

    /// The arguments of `postgres` for this cluster.
    pub(crate) fn server_args(&self, socket_dir: &Path) -> Vec<OsString> {
        let synced = if self.durable { "on" } else { "off" };
        let port = PORT.to_string();
        let buffers = format!("{}MB", self.shared_buffers_mb);
        let connections = self.max_connections.to_string();
        let wal = format!("{}MB", self.wal_max_mb);
        let mut args: Vec<OsString> = vec!["-D".into(), self.pgdata().into()];
        let mut option = |name: &str, value: OsString| {
            let mut pair = OsString::from(format!("{name}="));
            pair.push(value);
            args.push("-c".into());
            args.push(pair);
        };
        option("unix_socket_directories", quoted(socket_dir));
        for (name, value) in [
            ("listen_addresses", ""),
            ("port", &port),
            ("unix_socket_permissions", "0700"),
            ("fsync", synced),
            ("synchronous_commit", synced),
            ("full_page_writes", synced),
            ("shared_buffers", &buffers),
            ("max_connections", &connections),
            ("max_wal_size", &wal),
            ("wal_compression", "on"),
            ("checkpoint_timeout", "15min"),
            ("autovacuum_naptime", "10s"),
            ("autovacuum_vacuum_cost_delay", "0"),
            ("jit", "off"),
            ("client_connection_check_interval", "2s"),
            ("idle_in_transaction_session_timeout", "60s"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            // The log is the server's standard error, which the host opened.
            ("log_destination", "stderr"),
            ("logging_collector", "off"),
        ] {
            option(name, value.into());
        }
        // Recovery after a kill syncs the file system once rather than file by
        // file: 0.4-1.3 s instead of 0.9-3.5 s.
        if cfg!(target_os = "linux") {
            option("recovery_init_sync_method", "syncfs".into());
        }
        args
    }
}

/// Quotes a directory for `unix_socket_directories`, which is a list separated
/// by commas and trimmed of spaces.
fn quoted(dir: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut bytes = vec![b'"'];
    for &byte in dir.as_os_str().as_bytes() {
        if byte == b'"' {
            bytes.push(b'"');
        }
        bytes.push(byte);
    }
    bytes.push(b'"');
    OsString::from_vec(bytes)
}

/// The data root of a host without the setting: `/var/lib/flowhost` for
/// root, else `$XDG_DATA_HOME/flowhost` or its default below the home directory.
///
/// # Errors
/// Neither `XDG_DATA_HOME` nor `HOME` is set.
pub fn default_data_dir() -> Result<PathBuf, Error> {
    if is_root() {
        return Ok("/var/lib/flowhost".into());
    }
    let below_home = if cfg!(target_os = "macos") {
        "Library/Application Support"
    } else {
        ".local/share"
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| Some(absolute("HOME")?.join(below_home)))
        .map(|base| base.join("flowhost"))
        .ok_or(Error::NoHome)
}

/// Where `install.sh` keeps a downloaded server; the natural
/// [`Settings::cache_dir`]: `$XDG_CACHE_HOME/flowhost`, else
/// `/var/cache/flowhost` for root, whose home the server's user could not
/// enter, and `~/.cache/flowhost` for others.
///
/// # Errors
/// Neither `XDG_CACHE_HOME` nor `HOME` is set.
pub fn default_cache_dir() -> Result<PathBuf, Error> {
    absolute("XDG_CACHE_HOME")
        .or_else(|| is_root().then(|| "/var/cache".into()))
        .or_else(|| Some(absolute("HOME")?.join(".cache")))
        .map(|base| base.join("flowhost"))
        .ok_or(Error::NoHome)
}

/// A directory from the environment; the XDG specification says to ignore
/// relative ones.
fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_directory_with_a_comma_stays_one_directory() {
        assert_eq!(quoted(Path::new("/a, b\"c")), "\"/a, b\"\"c\"");
    }

    #[test]
    fn only_a_temporary_cluster_turns_durability_off() {
        let mut settings = Settings::new("/data");
        let has = |settings: &Settings, option: &str| {
            settings
                .server_args(Path::new("/run"))
                .contains(&OsString::from(option))
        };
        assert!(has(&settings, "fsync=on") && has(&settings, "full_page_writes=on"));
        assert!(has(&settings, "synchronous_commit=on"));
        settings.durable = false;
        assert!(has(&settings, "fsync=off") && has(&settings, "synchronous_commit=off"));
    }
}
