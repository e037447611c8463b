//! A folder can be taken in at a glance.

use std::collections::BTreeMap;

use super::source::{Source, assert_none, sources};

/// Most files of Rust and SQL side by side.
const FILES_MAX: usize = 15;

/// Returns the folders that hold too many.
fn crowded(sources: &[Source]) -> Vec<String> {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for source in sources {
        let folder = source
            .path
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        *folders.entry(folder).or_default() += 1;
    }
    folders.retain(|_, files| *files > FILES_MAX);
    folders
        .into_iter()
        .map(|(folder, files)| format!("{folder}: {files}"))
        .collect()
}

#[test]
fn a_folder_holds_at_most_15_files() {
    let all: Vec<_> = sources("", &[".rs", ".sql"])
        .into_iter()
        .filter(|source| !source.is_in(&["migrations/", "tests/golden/"]))
        .collect();
    assert_none(
        "more files than can be taken in side by side; find the nouns and make them folders",
        crowded(&all),
    );
}

#[test]
fn a_crowded_folder_is_found() {
    let files = |count: usize| -> Vec<_> {
        let paths = (0..count).map(|n| format!("host/a/{n}.rs"));
        let below = (0..FILES_MAX).map(|n| format!("host/a/b/{n}.sql"));
        paths
            .chain(below)
            .map(|path| Source::new(&path, ""))
            .collect()
    };
    assert!(crowded(&files(FILES_MAX)).is_empty());
    assert_eq!(crowded(&files(FILES_MAX + 1)), ["host/a: 16"]);
}
