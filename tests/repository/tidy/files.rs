//! Every file says what it is for, is compiled, and ends before a second subject.

use std::fs;

use super::source::{assert_none, rust, sources};
use crate::support::golden::top;

#[test]
fn every_file_says_what_it_is_for() {
    let broken = rust()
        .into_iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path);
    assert_none("these files do not open with `//!`", broken);
}

/// A file that no other declares is never compiled, so its tests never run.
#[test]
fn every_test_file_is_declared() {
    let broken = sources("tests/", &[".rs"])
        .into_iter()
        .map(|source| source.path)
        .filter(|path| path != "tests/main.rs")
        .filter(|path| {
            let module = path.trim_end_matches("/mod.rs").trim_end_matches(".rs");
            let (folder, name) = module.rsplit_once('/').expect("below tests");
            let list = match folder {
                "tests" => "tests/main.rs".to_owned(),
                folder => format!("{folder}/mod.rs"),
            };
            let list = fs::read_to_string(top().join(list)).unwrap_or_default();
            !list.contains(&format!("mod {name};"))
        });
    assert_none("these test files are declared nowhere", broken);
}

/// Not a rule: a report of what has grown long.
#[test]
fn the_longest_files_are_reported() {
    let mut lengths: Vec<_> = rust()
        .into_iter()
        .map(|source| (source.text.lines().count(), source.path))
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
