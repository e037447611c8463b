//! The files the rules are about, and what of their text is code.

use std::fs;
use std::path::Path;

use crate::support::golden::top;

/// A file, by its path below the top of the repository.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Whether it is below one of these folders, or one of these files.
    pub(super) fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

/// Reads the files below `folder` with one of these endings, but for build output.
pub(super) fn sources(folder: &str, endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open = vec![top().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", "node_modules", "out", ".sqlx", ".git"].contains(&name.as_str()) {
                    open.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(Source {
                    text: fs::read_to_string(&path).unwrap_or_default(),
                    path: shown(&path),
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn shown(path: &Path) -> String {
    let path = path.strip_prefix(top()).unwrap_or(path);
    path.display().to_string()
}

/// Every Rust file of the repository.
pub(super) fn rust() -> Vec<Source> {
    ["host", "tests", "guest-examples"]
        .iter()
        .flat_map(|folder| sources(folder, &[".rs"]))
        .collect()
}

/// Fails with every place that breaks a rule.
pub(super) fn assert_none(rule: &str, broken: impl IntoIterator<Item = String>) {
    let broken: Vec<_> = broken.into_iter().collect();
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// Returns Rust without its comments and without what its texts say.
pub(super) fn code(rust: &str) -> String {
    let bytes: Vec<char> = rust.chars().collect();
    let mut code = String::with_capacity(rust.len());
    let mut at = 0;
    let is = |at: usize, wanted: char| bytes.get(at) == Some(&wanted);
    while at < bytes.len() {
        match bytes[at] {
            '/' if is(at + 1, '/') => {
                while at < bytes.len() && !is(at, '\n') {
                    at += 1;
                }
            }
            '/' if is(at + 1, '*') => {
                while at < bytes.len() && !(is(at, '*') && is(at + 1, '/')) {
                    at += 1;
                }
                at += 2;
            }
            'r' if raw_text(&bytes, at).is_some() => {
                let hashes = raw_text(&bytes, at).unwrap_or_default();
                at += 2 + hashes;
                let ends = |at: usize| is(at, '"') && (1..=hashes).all(|n| is(at + n, '#'));
                while at < bytes.len() && !ends(at) {
                    at += 1;
                }
                at += 1 + hashes;
                code.push_str("\"\"");
            }
            '"' => {
                at += 1;
                while at < bytes.len() && !is(at, '"') {
                    at += if is(at, '\\') { 2 } else { 1 };
                }
                at += 1;
                code.push_str("\"\"");
            }
            '\'' if is(at + 1, '\\') || is(at + 2, '\'') => {
                at += if is(at + 1, '\\') { 3 } else { 2 };
                while at < bytes.len() && !is(at, '\'') {
                    at += 1;
                }
                at += 1;
                code.push_str("' '");
            }
            other => {
                code.push(other);
                at += 1;
            }
        }
    }
    code
}

/// Returns by how many `#` a raw text that begins at `at` is enclosed, if one does.
fn raw_text(bytes: &[char], at: usize) -> Option<usize> {
    let named = at > 0 && (bytes[at - 1].is_alphanumeric() || bytes[at - 1] == '_');
    let hashes = bytes[at + 1..].iter().take_while(|&&c| c == '#').count();
    (!named && bytes.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

#[test]
fn code_is_what_is_left_without_comments_and_texts() {
    let rust = "a(\"b // \\\" c\"); // d\n/* e */ f('\\'', '\"', r#\"g\"h\"#, x::<'i>()); r";
    let left = "a(\"\"); \n f(' ', ' ', \"\", x::<'i>()); r";
    assert_eq!(code(rust), left);
}
