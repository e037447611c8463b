//! Which statement writes which table: a new column of a table is an edit in each of the
//! statements listed for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::golden::assert_golden;

/// What a statement does to a table, by the words before the table's name.
const WRITES: [(&[&str], &str); 3] = [
    (&["INSERT", "INTO"], "insert"),
    (&["DELETE", "FROM"], "delete"),
    (&["UPDATE"], "update"),
];

#[test]
fn golden_writes() {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("host/engine/src");
    let mut tables: BTreeMap<String, BTreeMap<String, BTreeSet<&str>>> = BTreeMap::new();
    for file in statements(&source) {
        let text = fs::read_to_string(&file).expect("text");
        let name = file.strip_prefix(&source).expect("below").display();
        for (table, write) in writes(&text) {
            let files = tables.entry(table).or_default();
            files.entry(name.to_string()).or_default().insert(write);
        }
    }
    let mut text = String::from(
        "# Which statement writes which table\n\nFiles of `host/engine/src`, but for the benchmark.\n\n| table | statement | writes |\n|---|---|---|\n",
    );
    for (table, files) in tables {
        for (file, writes) in files {
            let writes = writes.into_iter().collect::<Vec<_>>().join(", ");
            writeln!(text, "| {table} | `{file}` | {writes} |").expect("a string takes text");
        }
    }
    assert_golden("tests/golden/writes.md", &text);
}

/// Lists the files that hold statements.
fn statements(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let named = |name: &str| path.file_name().is_some_and(|it| it == name);
        if path.is_dir() {
            if !named("bench") {
                found.extend(statements(&path));
            }
        } else if path.extension().is_some_and(|it| it == "rs" || it == "sql") {
            found.push(path);
        }
    }
    found
}

/// Returns the tables that a text writes, outside its comments and its tests.
fn writes(text: &str) -> Vec<(String, &'static str)> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let words: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(str::split_whitespace)
        .collect();
    let keyword = |word: &&str| word.trim_start_matches(['r', '#', '"', '(']).to_owned();
    let mut found = Vec::new();
    for at in 0..words.len() {
        for (before, write) in WRITES {
            let end = at + before.len();
            let (Some(clause), Some(table)) = (words.get(at..end), words.get(end)) else {
                continue;
            };
            // A lock, and the other half of an insert into the same table.
            let after = at.checked_sub(1).map(|at| words[at]);
            let found_here = clause.iter().map(keyword).eq(before.iter().copied());
            if !found_here || matches!(after, Some("FOR" | "KEY" | "DO")) {
                continue;
            }
            let table = table.trim_end_matches(|end: char| !end.is_ascii_lowercase());
            assert!(
                !table.is_empty() && table.chars().all(|it| it.is_ascii_lowercase() || it == '_'),
                "`{table}` is not the name of a table"
            );
            found.push((table.to_owned(), write));
        }
    }
    found
}

#[test]
fn only_writes_are_found() {
    let text = "-- UPDATE comment\nWITH a AS (\n    DELETE FROM ready WHERE true\n), b AS (\n    UPDATE lease l SET x = 1)\nINSERT INTO event (id) SELECT 1 ON CONFLICT DO UPDATE SET x = 2;\nSELECT FROM parked FOR NO KEY UPDATE OF p";
    let found = writes(text);
    let found: Vec<_> = found
        .iter()
        .map(|(table, it)| (table.as_str(), *it))
        .collect();
    assert_eq!(
        found,
        [
            ("ready", "delete"),
            ("lease", "update"),
            ("event", "insert")
        ]
    );
}
