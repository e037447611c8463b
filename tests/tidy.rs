//! Rules of the repository, as tests.

use std::fs;
use std::path::{Path, PathBuf};

fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Lists files below `folder` with one of these endings, but for build output.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![top().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", "node_modules", "out", ".sqlx"].contains(&name.as_str()) {
                    open.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<PathBuf> {
    ["host", "tests", "guest-examples"]
        .iter()
        .flat_map(|folder| files(folder, &[".rs"]))
        .collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(top())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Fails with every place that breaks a rule.
fn assert_none(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

#[test]
fn every_file_says_what_it_is_for() {
    let broken = rust_files()
        .into_iter()
        .filter(|path| !fs::read_to_string(path).expect("text").starts_with("//!"))
        .map(|path| shown(&path))
        .collect();
    assert_none("these files do not open with `//!`", broken);
}

#[test]
fn every_test_file_is_listed() {
    let main = fs::read_to_string(top().join("tests/main.rs")).expect("text");
    let broken = files("tests", &[".rs"])
        .into_iter()
        .filter(|path| path.parent() == Some(&top().join("tests")))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name != "main" && !main.contains(&format!("mod {name};")))
        .collect();
    assert_none("these test files are not listed in tests/main.rs", broken);
}

#[test]
fn sql_stays_in_the_engine() {
    let markers = ["sqlx::", "SELECT ", "INSERT INTO", "DELETE FROM"];
    let broken = files("host", &[".rs"])
        .into_iter()
        .filter(|path| {
            let path = shown(path);
            !path.starts_with("host/engine/")
                && !path.starts_with("host/testkit/")
                && !path.starts_with("host/pgserver/")
        })
        .filter(|path| {
            let text = fs::read_to_string(path).expect("text");
            markers.iter().any(|marker| text.contains(marker))
        })
        .map(|path| shown(&path))
        .collect();
    assert_none("SQL outside host/engine", broken);
}

/// What an interface keeps for a guest passes through `handles.rs`, where it is
/// charged; WASI alone has a table that anything can be put into.
#[test]
fn no_interface_keeps_anything_that_is_not_charged() {
    let homes = [
        "host/runtime/src/host/handles.rs",
        "host/runtime/src/host/wasi.rs",
        // Judges its errors.
        "host/runtime/src/verdict.rs",
    ];
    let broken = files("host/runtime/src", &[".rs"])
        .into_iter()
        .filter(|path| !homes.contains(&shown(path).as_str()))
        .filter(|path| {
            let text = fs::read_to_string(path).expect("text");
            text.contains("ResourceTable") || text.contains("wasi.table")
        })
        .map(|path| shown(&path))
        .collect();
    assert_none("these files keep things in a table of their own", broken);
}

#[test]
fn whoever_queues_an_execution_names_its_namespace() {
    let broken = files("host/engine", &[".rs", ".sql"])
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).expect("text");
            text.split("INSERT INTO ready").skip(1).any(|rest| {
                let columns = rest.split(')').next().unwrap_or_default();
                !columns.contains("namespace")
            })
        })
        .map(|path| shown(&path))
        .collect();
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
    let broken = files("host/server/src/http", &[".rs"])
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).expect("text");
            others.iter().any(|other| text.contains(other))
        })
        .map(|path| shown(&path))
        .collect();
    assert_none(
        "use `path`, `query` and `body` of host/server/src/http",
        broken,
    );
}

#[test]
fn comments_tell_no_history() {
    let broken = rust_files()
        .into_iter()
        .chain(files("migrations", &[".sql"]))
        .chain(files("host", &[".sql"]))
        .chain(files("wit", &[".wit"]))
        .flat_map(|path| {
            let text = fs::read_to_string(&path).expect("text");
            text.lines()
                .enumerate()
                .filter(|(_, line)| tells_history(line))
                .map(|(number, line)| format!("{}:{}: {}", shown(&path), number + 1, line.trim()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_none("comments with ticket numbers or leftovers", broken);
}

/// Whether a comment names a ticket or leaves work behind.
fn tells_history(line: &str) -> bool {
    let Some((_, comment)) = line.split_once("//").or_else(|| line.split_once("-- ")) else {
        return false;
    };
    let ticket = comment
        .split(|c: char| !c.is_alphanumeric() && c != '#' && c != '-')
        .any(|word| {
            let digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
            word.strip_prefix('#').is_some_and(digits)
                || word.strip_prefix("RFC-").is_some_and(digits)
                || word.strip_prefix("PR-").is_some_and(digits)
        });
    let leftover =
        ["TO", "FIX"].map(|head| [head, if head == "TO" { "DO" } else { "ME" }].concat());
    ticket || leftover.iter().any(|word| comment.contains(word.as_str()))
}

#[test]
fn lints_are_expected_with_a_reason_and_never_just_allowed() {
    let broken = rust_files()
        .into_iter()
        .filter(|path| !shown(path).starts_with("tests/tidy.rs"))
        .filter(|path| fs::read_to_string(path).expect("text").contains("#[allow("))
        .map(|path| shown(&path))
        .collect();
    assert_none("#[allow] instead of #[expect(…, reason = …)]", broken);
}

#[test]
fn no_registry_and_no_path_of_a_machine_is_named() {
    let hosts = [
        ["crates", ".io"].concat(),
        ["registry.npm", "js"].concat(),
        ["py", "pi.org"].concat(),
        ["deb.deb", "ian.org"].concat(),
    ];
    let broken = [
        "host",
        "tests",
        "guest-examples",
        "wit",
        "migrations",
        "docs",
    ]
    .iter()
    .filter(|folder| top().join(folder).exists())
    .flat_map(|folder| {
        files(
            folder,
            &[".rs", ".sh", ".md", ".toml", ".json", ".wit", ".sql", ".js"],
        )
    })
    .filter(|path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        hosts.iter().any(|host| text.contains(host.as_str()))
    })
    .map(|path| shown(&path))
    .collect();
    assert_none("files that name a package registry", broken);
}

/// Not a rule: a report of what has grown long.
#[test]
fn the_longest_files_are_reported() {
    let mut lengths: Vec<_> = rust_files()
        .into_iter()
        .map(|path| {
            (
                fs::read_to_string(&path).expect("text").lines().count(),
                shown(&path),
            )
        })
        .collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    for (lines, path) in lengths.iter().take(10) {
        println!("{lines:5} {path}");
    }
    assert!(
        lengths[0].0 < 1000,
        "{} has outgrown its subject",
        lengths[0].1
    );
}
