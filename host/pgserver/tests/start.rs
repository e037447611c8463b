//! Starting: the first time, again, and after an interrupted first time.

use crate::scratch::{Scratch, ask, is_alive, postmaster_pid, temporary, try_connect, wait_until};
use pgserver::{Settings, start};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

#[test]
fn a_new_cluster_is_durable_private_and_keeps_its_data() {
    let scratch = Scratch::new();
    let cluster = start(Settings::new(scratch.data_dir())).expect("a first start");
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C"),
        ("shared_buffers", "128MB"),
        ("max_connections", "64"),
        ("max_wal_size", "1GB"),
        ("checkpoint_timeout", "15min"),
        ("client_connection_check_interval", "2s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("jit", "off"),
    ] {
        // Newer majors show the collation per database only.
        let sql = match setting {
            "lc_collate" => {
                "SELECT datcollate FROM pg_database WHERE datname = 'flowhost'".to_owned()
            }
            _ => format!("SHOW {setting}"),
        };
        assert_eq!(ask(&cluster, &sql).as_deref(), Some(value), "{setting}");
    }
    assert_eq!(
        ask(&cluster, "SELECT current_user").as_deref(),
        Some(cluster.user())
    );
    assert_eq!(
        fs::metadata(cluster.socket_dir()).expect("exists").mode() & 0o777,
        0o700
    );
    assert!(cluster.version().starts_with(|c: char| c.is_ascii_digit()));
    ask(&cluster, "CREATE TABLE kept AS SELECT 42 AS answer");
    cluster.stop().expect("a clean stop");

    let cluster = start(Settings::new(scratch.data_dir())).expect("a warm start");
    assert_eq!(
        ask(&cluster, "SELECT answer FROM kept").as_deref(),
        Some("42")
    );
    assert_eq!(cluster.restarts(), 0);
    cluster.healthy().expect("serving");
    let log = fs::read_to_string(cluster.log_path()).expect("a log");
    assert!(
        !log.contains("not properly shut down"),
        "the stop was clean:\n{log}"
    );
}

#[test]
fn a_throw_away_cluster_does_not_sync() {
    let scratch = Scratch::new();
    let cluster = start(temporary(scratch.data_dir())).expect("a start");
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(
            ask(&cluster, &format!("SHOW {setting}")).as_deref(),
            Some("off"),
            "{setting}"
        );
    }
}

#[test]
fn a_dropped_cluster_is_stopped() {
    let scratch = Scratch::new();
    let cluster = start(temporary(scratch.data_dir())).expect("a start");
    let socket_dir = cluster.socket_dir().to_owned();
    let _idle = try_connect(&socket_dir).expect("connected, and not waited for");
    drop(cluster);
    assert!(!scratch.data_dir().join("pg/postmaster.pid").exists());
    assert!(try_connect(&socket_dir).is_err());
}

#[test]
fn a_half_made_cluster_is_removed_and_made_again() {
    let scratch = Scratch::new();
    let leftover = scratch.data_dir().join("pg.tmp");
    fs::create_dir_all(leftover.join("base")).expect("a directory");
    fs::write(leftover.join("PG_VERSION"), "15\n").expect("write");
    let cluster = start(temporary(scratch.data_dir())).expect("a start");
    assert!(!leftover.exists());
    assert_eq!(ask(&cluster, "SELECT 1").as_deref(), Some("1"));
}

#[test]
fn a_setting_of_the_database_cannot_undo_durability() {
    let scratch = Scratch::new();
    let cluster = start(Settings::new(scratch.data_dir())).expect("a start");
    // The server's own command line wins over this one ...
    ask(&cluster, "ALTER SYSTEM SET fsync = off");
    cluster.stop().expect("a clean stop");
    let cluster = start(Settings::new(scratch.data_dir())).expect("a start");
    assert_eq!(ask(&cluster, "SHOW fsync").as_deref(), Some("on"));
    // ... but not over this one, so it has to be refused.
    ask(
        &cluster,
        "ALTER DATABASE flowhost SET synchronous_commit = off",
    );
    cluster.stop().expect("a clean stop");
    let refused = start(Settings::new(scratch.data_dir())).expect_err("unsafe");
    assert!(
        refused.to_string().contains("synchronous_commit = off"),
        "{refused}"
    );
    wait_until("nothing is left running", || {
        !scratch.data_dir().join("pg/postmaster.pid").exists()
    });
}

#[test]
fn ctrl_c_does_not_reach_the_server() {
    let scratch = Scratch::new();
    let _cluster = start(temporary(scratch.data_dir())).expect("a start");
    let server = postmaster_pid(&scratch.data_dir());
    // SAFETY: getpgid and getpgrp touch no memory.
    let (theirs, ours) = unsafe { (libc::getpgid(server), libc::getpgrp()) };
    assert_eq!(theirs, server, "a group of its own");
    assert_ne!(theirs, ours);
}

/// After a reboot, or in a new container on an old volume, the pid of a server
/// that was killed may belong to anything.
#[test]
fn a_pid_file_that_names_an_unrelated_process_does_not_prevent_a_start() {
    let scratch = Scratch::new();
    let cluster = start(temporary(scratch.data_dir())).expect("a start");
    let pid_file = scratch.data_dir().join("pg/postmaster.pid");
    let text = fs::read_to_string(&pid_file).expect("a running server");
    let owner = fs::metadata(&pid_file).expect("exists");
    cluster.stop().expect("a clean stop");

    let mut unrelated = Command::new("cat")
        .uid(owner.uid())
        .gid(owner.gid())
        .stdin(Stdio::piped())
        .spawn()
        .expect("cat runs");
    let (_, rest) = text.split_once('\n').expect("several lines");
    fs::write(&pid_file, format!("{}\n{rest}", unrelated.id())).expect("write");
    chown(&pid_file, Some(owner.uid()), Some(owner.gid())).expect("chown");
    let cluster = start(temporary(scratch.data_dir())).expect("a start");
    assert_eq!(ask(&cluster, "SELECT 1").as_deref(), Some("1"));
    assert!(is_alive(unrelated.id() as libc::pid_t), "it was left alone");
    drop(unrelated.stdin.take());
    unrelated.wait().expect("cat ends at the end of its input");
}
