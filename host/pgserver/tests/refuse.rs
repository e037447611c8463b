//! What is refused, and whether the message tells a person what to do.

use crate::scratch::{Scratch, temporary};
use pgserver::{Error, find, start};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_second_host_is_told_who_runs_the_first() {
    let scratch = Scratch::new();
    let first = start(temporary(scratch.data_dir())).expect("the first");
    let text = start(temporary(scratch.data_dir()))
        .expect_err("the second")
        .to_string();
    assert!(
        text.contains(&format!("already running, pid {}", std::process::id())),
        "{text}"
    );
    assert!(
        text.contains(&*first.data_dir().to_string_lossy()),
        "{text}"
    );
    first.healthy().expect("undisturbed");
}

#[test]
fn a_cluster_of_another_major_is_left_alone() {
    let scratch = Scratch::new();
    let pgdata = scratch.data_dir().join("pg");
    fs::create_dir_all(&pgdata).expect("a directory");
    fs::write(pgdata.join("PG_VERSION"), "14\n").expect("write");
    fs::write(
        scratch.data_dir().join("pg_uid"),
        format!("{}\n", the_owner(&pgdata)),
    )
    .expect("write");
    let refused = start(temporary(scratch.data_dir())).expect_err("no server of major 14");
    assert!(
        matches!(refused, Error::WrongMajor { needed: 14, .. }),
        "{refused}"
    );
    let text = refused.to_string();
    assert!(
        text.contains("made by Postgres 14") && text.contains("the cluster needs 14"),
        "{text}"
    );
    assert_eq!(fs::read_dir(&pgdata).expect("exists").count(), 1);
}

#[test]
fn a_directory_that_is_no_cluster_is_not_overwritten() {
    let scratch = Scratch::new();
    let pgdata = scratch.data_dir().join("pg");
    fs::create_dir_all(&pgdata).expect("a directory");
    fs::write(pgdata.join("thesis.txt"), "the only copy").expect("write");
    fs::write(
        scratch.data_dir().join("pg_uid"),
        format!("{}\n", the_owner(&pgdata)),
    )
    .expect("write");
    let refused = start(temporary(scratch.data_dir())).expect_err("not a cluster");
    assert!(matches!(refused, Error::NotACluster { .. }), "{refused}");
    assert!(pgdata.join("thesis.txt").exists());
}

#[test]
fn an_explicit_directory_without_a_server_is_named_with_the_reason_and_a_remedy() {
    let scratch = Scratch::new();
    let mut settings = temporary(scratch.data_dir());
    settings.bin_dir = Some(scratch.path().into());
    let text = find(&settings).expect_err("no server there").to_string();
    let place = scratch.path().to_string_lossy();
    assert!(
        text.contains(&format!("explicit setting: {place}: postgres does not run")),
        "{text}"
    );
    assert!(text.contains("make postgres"), "{text}");
    assert!(!scratch.data_dir().exists(), "looking changes nothing");
}

#[test]
fn a_server_in_the_cache_wins_over_an_installed_one() {
    let scratch = Scratch::new();
    let installed = find(&temporary(scratch.data_dir())).expect("an installed server");
    let bin_dir = scratch.path().join("pg/any-name/bin");
    fs::create_dir_all(&bin_dir).expect("a directory");
    for program in ["postgres", "initdb"] {
        let script = format!("#!/bin/sh\necho '{program} (PostgreSQL) 17.99'\n");
        fs::write(bin_dir.join(program), script).expect("write");
        fs::set_permissions(bin_dir.join(program), fs::Permissions::from_mode(0o755))
            .expect("chmod");
    }
    let mut settings = temporary(scratch.data_dir());
    settings.cache_dir = Some(scratch.path().into());
    let cached = find(&settings).expect("the cached server");
    assert_eq!(
        (cached.version_major, cached.bin_dir.as_path()),
        (17, bin_dir.as_path())
    );
    assert_ne!(installed.bin_dir, cached.bin_dir);
}

/// Only root runs the server as another user; a host of any other user has nothing to
/// refuse, and starts.
#[test]
fn a_closed_directory_above_the_data_is_refused_to_the_servers_user() {
    let scratch = Scratch::new();
    let closed = scratch.path().join("closed");
    fs::create_dir(&closed).expect("a directory");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("chmod");
    let started = start(temporary(closed.join("data")));
    if i_am_root() {
        let text = started.expect_err("closed").to_string();
        assert!(
            text.contains(&format!("cannot enter {}", closed.display())),
            "{text}"
        );
        assert!(text.contains("chmod o+x"), "{text}");
        assert!(!closed.join("data/pg").exists());
    } else {
        started.expect("the server is the same user");
    }
}

#[test]
fn an_option_the_server_rejects_is_quoted_from_its_log() {
    let scratch = Scratch::new();
    let mut settings = temporary(scratch.data_dir());
    settings.max_connections = 0;
    let text = start(settings).expect_err("out of range").to_string();
    assert!(text.contains("ended before it was ready"), "{text}");
    assert!(text.contains("max_connections"), "{text}");
}

fn i_am_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Gives a directory to whom the server would run as, and returns `uid:gid`.
fn the_owner(dir: &std::path::Path) -> String {
    // SAFETY: both calls have no preconditions and cannot fail.
    let (uid, gid) = match unsafe { (libc::geteuid(), libc::getegid()) } {
        (0, _) => (65534, 65534),
        me => me,
    };
    std::os::unix::fs::chown(dir, Some(uid), Some(gid)).expect("chown");
    format!("{uid}:{gid}")
}
