//! The guide and the source say the same: every code a host can record is explained
//! in `docs/operate.md`, and none that it cannot.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use model::EngineCode;

/// What a code follows where one is made up.
const MAKERS: [&str; 6] = [
    "Failure::new(",
    "outcome::failed(",
    "failed(class,",
    "crash(",
    "permanent(",
    "failure_code: Some(",
];

/// Files in which every text that looks like a code is one.
const ALL_CODES: [&str; 2] = [
    "host/runtime/src/sandbox/trap.rs",
    "host/runtime/src/sandbox/verdict.rs",
];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: PathBuf, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// Returns the texts in quotes that look like codes.
fn codes_in(source: &str) -> impl Iterator<Item = &str> {
    source
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| is_code(text))
}

fn codes_of_the_source() -> BTreeSet<String> {
    let mut files = Vec::new();
    for part in ["engine", "runtime"] {
        rust_files(top().join("host").join(part).join("src"), &mut files);
    }
    let mut codes: BTreeSet<String> = EngineCode::ALL
        .iter()
        .map(|code| code.as_str().to_owned())
        .collect();
    for path in files {
        let text = fs::read_to_string(&path).expect("text");
        let source = text.split("#[cfg(test)]").next().unwrap_or_default();
        if ALL_CODES.iter().any(|name| path == top().join(name)) {
            let words = codes_in(source).filter(|text| text.contains('_'));
            codes.extend(words.map(str::to_owned));
        }
        for maker in MAKERS {
            for call in source.split(maker).skip(1) {
                let call = &call[..call.floor_char_boundary(120)];
                let call = call.split(';').next().unwrap_or_default();
                codes.extend(codes_in(call).next().map(str::to_owned));
            }
        }
    }
    // Words of counters, for ends that are not failures.
    for word in ["lease_lost", "not_opened"] {
        codes.remove(word);
    }
    codes
}

fn codes_of_the_guide() -> BTreeSet<String> {
    let guide = fs::read_to_string(top().join("docs/operate.md")).expect("the guide");
    let (_, section) = guide
        .split_once("## Failures, and what they mean")
        .expect("the section");
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next())
        .flat_map(|cell| cell.split('`').map(str::to_owned))
        .filter(|text| is_code(text))
        .collect()
}

#[test]
fn every_code_a_host_can_record_is_in_the_guide() {
    let (source, guide) = (codes_of_the_source(), codes_of_the_guide());
    assert!(source.len() > 20, "hardly any was found: {source:?}");
    let missing: Vec<_> = source.difference(&guide).collect();
    assert!(missing.is_empty(), "not in docs/operate.md: {missing:?}");
    let unknown: Vec<_> = guide.difference(&source).collect();
    assert!(unknown.is_empty(), "no host records {unknown:?}");
}
