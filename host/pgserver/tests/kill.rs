//! What survives `kill -9`: of the server, of a busy backend's server, of the
//! host, and of both at once.

use crate::scratch::{
    Scratch, ask, is_alive, kill_hard, postmaster_pid, temporary, try_connect, wait_for_restart,
    wait_until,
};
use pgserver::{Error, Settings, start};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Keeps a backend computing until it is told to end.
const COMPUTE: &str = "DO $$ BEGIN LOOP END LOOP; END $$";

#[test]
fn a_killed_server_is_restarted_with_its_data() {
    let scratch = Scratch::new();
    let cluster = start(Settings::new(scratch.data_dir())).expect("a start");
    ask(&cluster, "CREATE TABLE kept AS SELECT 42 AS answer");
    let first = postmaster_pid(cluster.data_dir());
    kill_hard(first);
    wait_for_restart(&cluster, 1);
    assert_eq!(
        ask(&cluster, "SELECT answer FROM kept").as_deref(),
        Some("42")
    );
    assert_ne!(postmaster_pid(cluster.data_dir()), first);
    cluster.healthy().expect("serving");
}

/// A backend that computes does not notice that its server is gone, and would
/// keep the next one from starting.
#[test]
fn a_busy_backend_does_not_hold_up_the_restart() {
    let scratch = Scratch::new();
    let cluster = start(temporary(scratch.data_dir())).expect("a start");
    let mut busy = try_connect(cluster.socket_dir()).expect("a connection");
    let rows = busy.query("SELECT pg_backend_pid()").expect("a pid");
    let backend = rows[0][0]
        .as_deref()
        .and_then(|pid| pid.parse().ok())
        .expect("a number");
    let computing = std::thread::spawn(move || busy.query(COMPUTE));
    wait_until("the backend computes", || {
        let sql = format!(
            "SELECT state FROM pg_stat_activity WHERE pid = {backend} AND query LIKE 'DO%'"
        );
        ask(&cluster, &sql).as_deref() == Some("active")
    });
    kill_hard(postmaster_pid(cluster.data_dir()));
    wait_for_restart(&cluster, 1);
    assert!(!is_alive(backend));
    computing
        .join()
        .expect("no panic")
        .expect_err("the connection is gone");
}

#[test]
fn a_server_that_cannot_come_back_says_why_and_is_tried_until_it_can() {
    let scratch = Scratch::new();
    let cluster = start(temporary(scratch.data_dir())).expect("a start");
    let control = cluster.data_dir().join("pg/global/pg_control");
    let aside = cluster.data_dir().join("pg_control");
    fs::rename(&control, &aside).expect("damaged");
    kill_hard(postmaster_pid(cluster.data_dir()));
    wait_until("the supervisor despairs", || {
        matches!(cluster.healthy(), Err(Error::Failing { .. }))
    });
    let text = cluster.healthy().expect_err("failing").to_string();
    assert!(text.contains("pg_control"), "{text}");
    fs::rename(&aside, &control).expect("mended");
    wait_until("the server is back", || cluster.healthy().is_ok());
    cluster.stop().expect("it stops as if nothing had been");
}

#[test]
fn the_server_ends_with_a_killed_host_and_the_next_start_is_clean() {
    let scratch = Scratch::new();
    let mut host = Host::start(&scratch.data_dir());
    let server = postmaster_pid(&scratch.data_dir());
    host.kill();
    wait_until("the server has followed its host", || !is_alive(server));

    let cluster = start(Settings::new(scratch.data_dir())).expect("a start");
    assert_eq!(
        ask(&cluster, "SELECT answer FROM kept").as_deref(),
        Some("42")
    );
    let log = fs::read_to_string(cluster.log_path()).expect("a log");
    assert!(
        !log.contains("not properly shut down"),
        "the host's death meant a clean shutdown:\n{log}"
    );
}

/// Started at once, the next host finds the server still shutting down.
#[test]
fn the_next_host_need_not_wait_for_the_old_server() {
    let scratch = Scratch::new();
    Host::start(&scratch.data_dir()).kill();
    let cluster = start(Settings::new(scratch.data_dir())).expect("a start");
    assert_eq!(
        ask(&cluster, "SELECT answer FROM kept").as_deref(),
        Some("42")
    );
}

#[test]
fn host_and_server_killed_together_leave_the_data_and_no_process() {
    let scratch = Scratch::new();
    let mut host = Host::start(&scratch.data_dir());
    let socket_dir = scratch.data_dir().join("run");
    let mut busy = try_connect(&socket_dir).expect("a connection");
    let rows = busy.query("SELECT pg_backend_pid()").expect("a pid");
    let backend = rows[0][0]
        .as_deref()
        .and_then(|pid| pid.parse().ok())
        .expect("a number");
    let computing = std::thread::spawn(move || busy.query(COMPUTE));
    let mut watcher = try_connect(&socket_dir).expect("a connection");
    wait_until("the backend computes", || {
        let sql =
            format!("SELECT 1 FROM pg_stat_activity WHERE pid = {backend} AND query LIKE 'DO%'");
        !watcher.query(&sql).expect("an answer").is_empty()
    });
    let server = postmaster_pid(&scratch.data_dir());
    // Stopped first, so that the host cannot restart its server in between.
    host.freeze();
    kill_hard(server);
    host.kill();
    wait_until("the server is gone", || !is_alive(server));
    assert!(is_alive(backend), "the case to be tested");

    let cluster = start(Settings::new(scratch.data_dir())).expect("a start");
    assert!(!is_alive(backend));
    assert_eq!(
        ask(&cluster, "SELECT answer FROM kept").as_deref(),
        Some("42")
    );
    computing
        .join()
        .expect("no panic")
        .expect_err("the connection is gone");
}

/// Another process which runs a cluster with one row in it.
struct Host(Child);

impl Host {
    /// Returns when the row is committed.
    fn start(data_dir: &Path) -> Self {
        let mut child = Command::new(example("serve"))
            .arg(data_dir)
            // Ends with this test, in case that fails to kill it.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example runs; `cargo test` builds it");
        let mut said = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout)
            .read_line(&mut said)
            .expect("the host serves");
        let socket_dir = said
            .trim_end()
            .strip_prefix("serving ")
            .expect("the host serves");
        try_connect(Path::new(socket_dir))
            .and_then(|mut connection| connection.query("CREATE TABLE kept AS SELECT 42 AS answer"))
            .expect("the row is written");
        Self(child)
    }

    fn freeze(&self) {
        // SAFETY: kill touches no memory.
        assert_eq!(
            unsafe { libc::kill(self.0.id() as libc::pid_t, libc::SIGSTOP) },
            0
        );
    }

    fn kill(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("reaped");
    }
}

/// Returns where an example of this crate was built.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this program");
    let profile = test.ancestors().nth(2).expect("below the profile");
    profile.join("examples").join(name)
}
