//! Where the socket goes, and what the URL says about it.

use crate::scratch::{Scratch, ask, temporary, try_connect};
use pgserver::start;
use std::process::Command;

#[test]
fn a_long_data_directory_gets_a_short_socket_directory() {
    let scratch = Scratch::new();
    let data_dir = scratch.path().join("long".repeat(30));
    let cluster = start(temporary(&data_dir)).expect("a start");
    let socket_dir = cluster.socket_dir().to_owned();
    assert!(
        !socket_dir.starts_with(&data_dir),
        "{}",
        socket_dir.display()
    );
    assert_eq!(ask(&cluster, "SELECT 1").as_deref(), Some("1"));
    cluster.stop().expect("a clean stop");

    let again = start(temporary(&data_dir)).expect("a warm start");
    assert_eq!(again.socket_dir(), socket_dir, "the place is stable");
    drop(again);
    std::fs::remove_dir(&socket_dir).expect("a stopped server leaves it empty");
}

#[test]
fn a_data_directory_may_contain_spaces_and_quotes() {
    let scratch = Scratch::new();
    let cluster = start(temporary(scratch.path().join("a \"b\" & 'c'?"))).expect("a start");
    assert!(cluster.socket_dir().starts_with(scratch.path()));
    try_connect(cluster.socket_dir()).expect("reachable");
    if let Ok(psql) = Command::new("psql")
        .args([
            &cluster.url("flowhost"),
            "-Atc",
            "SELECT current_database()",
        ])
        .env("PGPORT", "1")
        .output()
    {
        let said = String::from_utf8_lossy(&psql.stderr).into_owned();
        assert_eq!(
            String::from_utf8_lossy(&psql.stdout).trim(),
            "flowhost",
            "{said}"
        );
    }
}

/// `psql` and libpq would take such a directory for a list of hosts.
#[test]
fn a_comma_in_the_data_directory_stays_out_of_the_url() {
    let scratch = Scratch::new();
    let cluster = start(temporary(scratch.path().join("a,b"))).expect("a start");
    let socket_dir = cluster.socket_dir().to_owned();
    assert!(
        !cluster.url("flowhost").contains("%2C"),
        "{}",
        cluster.url("flowhost")
    );
    assert_eq!(ask(&cluster, "SELECT 1").as_deref(), Some("1"));
    drop(cluster);
    std::fs::remove_dir(&socket_dir).expect("a stopped server leaves it empty");
}
