//! What each crate keeps to itself, and which may know which.

use std::fs;

use super::source::{assert_none, sources};
use crate::support::golden::top;

#[test]
fn sql_stays_in_the_engine() {
    let markers = ["sqlx::", "SELECT ", "INSERT INTO", "DELETE FROM"];
    let broken = sources("host", &[".rs"])
        .into_iter()
        .filter(|source| !source.is_in(&["host/engine/", "host/testkit/", "host/pgserver/"]))
        .filter(|source| markers.iter().any(|marker| source.text.contains(marker)))
        .map(|source| source.path);
    assert_none("SQL outside host/engine", broken);
}

/// What an interface keeps for a guest passes through `handles.rs`, where it is
/// charged; WASI alone has a table that anything can be put into.
#[test]
fn no_interface_keeps_anything_that_is_not_charged() {
    let homes = [
        "host/runtime/src/host/store/handles.rs",
        "host/runtime/src/host/store/wasi.rs",
        // Judges its errors.
        "host/runtime/src/sandbox/trap.rs",
    ];
    let broken = sources("host/runtime/src", &[".rs"])
        .into_iter()
        .filter(|source| !source.is_in(&homes))
        .filter(|source| {
            source.text.contains("ResourceTable") || source.text.contains("wasi.table")
        })
        .map(|source| source.path);
    assert_none("these files keep things in a table of their own", broken);
}

#[test]
fn every_insert_into_the_queue_names_a_namespace() {
    let broken = sources("host/engine", &[".rs", ".sql"])
        .into_iter()
        .filter(|source| {
            source.text.split("INSERT INTO ready").skip(1).any(|rest| {
                let columns = rest.split(')').next().unwrap_or_default();
                !columns.contains("namespace")
            })
        })
        .map(|source| source.path);
    assert_none(
        "these files put executions into the queue of the default namespace, whose share they would use up",
        broken,
    );
}

#[test]
fn crates_depend_downwards_only() {
    let forbidden = [
        (
            "model",
            &[
                "tokio", "sqlx", "wasmtime", "engine", "runtime", "server", "axum",
            ][..],
        ),
        (
            "engine",
            &["wasmtime", "axum", "runtime", "server", "pgserver"],
        ),
        ("runtime", &["sqlx", "axum", "server", "pgserver"]),
        (
            "egress",
            &[
                "sqlx", "wasmtime", "axum", "engine", "runtime", "server", "pgserver",
            ],
        ),
        (
            "pgserver",
            &[
                "tokio", "sqlx", "wasmtime", "engine", "runtime", "server", "model",
            ],
        ),
        ("server", &["sqlx", "wasmtime", "wasmtime-wasi"]),
    ];
    let mut broken = Vec::new();
    for (name, banned) in forbidden {
        let manifest =
            fs::read_to_string(top().join(format!("host/{name}/Cargo.toml"))).expect("text");
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        for line in dependencies.lines() {
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if banned.contains(&dependency) {
                broken.push(format!("{name} → {dependency}"));
            }
        }
    }
    assert_none("forbidden crate edges", broken);
}

#[test]
fn handlers_read_requests_only_through_what_answers_with_problems() {
    // The framework's own refuse in plain text.
    let others = [
        "extract::{Path",
        "extract::Path;",
        "extract::{Json",
        "extract::Query;",
        "extract::Form",
        "extract::Multipart",
        ", Path, State}",
        ", Query, State}",
        "Json(request): Json<",
    ];
    let broken = sources("host/server/src/http", &[".rs"])
        .into_iter()
        .filter(|source| others.iter().any(|other| source.text.contains(other)))
        .map(|source| source.path);
    assert_none(
        "use `path`, `query` and `body` of host/server/src/http",
        broken,
    );
}
