//! What the tests share: a data root to throw away, a client, and waiting.

use pgserver::wire::{Connection, WireError};
use pgserver::{Cluster, Error, Settings};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A directory which the server's user can enter, as root's own could not be.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("pgserver-")
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir_in("/tmp")
            .expect("a directory in /tmp");
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }
}

/// Small, and without syncing: these servers are killed, the machine is not.
pub fn temporary(data_dir: impl Into<PathBuf>) -> Settings {
    Settings {
        durable: false,
        shared_buffers_mb: 16,
        max_connections: 16,
        ..Settings::new(data_dir)
    }
}

pub fn try_connect(socket_dir: &Path) -> Result<Connection, WireError> {
    let socket = socket_dir.join(".s.PGSQL.5432");
    Connection::open(&socket, "flowhost", "flowhost", Duration::from_secs(60))
}

/// Runs one statement on a new connection and returns its first value.
pub fn ask(cluster: &Cluster, sql: &str) -> Option<String> {
    let rows = try_connect(cluster.socket_dir())
        .and_then(|mut connection| connection.query(sql))
        .expect(sql);
    rows.into_iter().flatten().next().flatten()
}

pub fn postmaster_pid(data_dir: &Path) -> libc::pid_t {
    let text =
        std::fs::read_to_string(data_dir.join("pg/postmaster.pid")).expect("a running server");
    text.lines()
        .next()
        .and_then(|line| line.parse().ok())
        .expect("a pid in the first line")
}

pub fn kill_hard(pid: libc::pid_t) {
    // SAFETY: kill touches no memory.
    assert_eq!(
        unsafe { libc::kill(pid, libc::SIGKILL) },
        0,
        "pid {pid} can be killed"
    );
}

pub fn is_alive(pid: libc::pid_t) -> bool {
    // A zombie, which only its parent can remove, does not live.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .starts_with(" Z")
    })
}

/// Waits for a condition; the deadline only bounds a failure.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the server has come back `restarts` times.
pub fn wait_for_restart(cluster: &Cluster, restarts: u64) {
    wait_until("a restart", || {
        if let Err(error @ Error::Failing { .. }) = cluster.healthy() {
            panic!("{error}");
        }
        cluster.restarts() >= restarts
    });
}
