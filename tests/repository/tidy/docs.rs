//! A field's doc says what the name and the type do not.

use super::source::{Source, assert_none, rust};

const WORDS_MIN: usize = 4;

/// Returns the fields whose docs have fewer words, with their lines.
fn terse(rust: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut doc: Vec<&str> = Vec::new();
    let mut attribute = 0_i32;
    for (number, line) in rust.lines().enumerate() {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("///") {
            doc.push(text.trim());
            continue;
        }
        if attribute > 0 || line.starts_with("#[") {
            let depth = |c: char| match c {
                '[' | '(' => 1,
                ']' | ')' => -1,
                _ => 0,
            };
            attribute += line.chars().map(depth).sum::<i32>();
            continue;
        }
        if !doc.is_empty() && is_field(line) {
            let text = doc.join(" ");
            let words = text.split_whitespace();
            let words = words.filter(|word| word.contains(char::is_alphanumeric));
            if words.count() < WORDS_MIN {
                found.push((number + 1, format!("{text} {line}")));
            }
        }
        doc.clear();
    }
    found
}

/// Whether a line begins with `name: `, public or not.
fn is_field(line: &str) -> bool {
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ").map_or("", |(_, rest)| rest),
        Some(rest) if rest.starts_with(' ') => rest.trim_start(),
        _ => line,
    };
    line.split_once(": ").is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_#".contains(c))
    })
}

#[test]
fn the_docs_of_fields_say_more_than_their_names() {
    let broken = rust()
        .into_iter()
        .filter(|source| source.is_in(&["host/", "tests/"]))
        .flat_map(|Source { path, text }| {
            let found = terse(&text).into_iter();
            found.map(move |(line, field)| format!("{path}:{line}: {field}"))
        });
    assert_none(
        "at least four words: the unit, the bound, what absence means; or no doc at all",
        broken,
    );
}

#[test]
fn a_terse_doc_is_found() {
    let planted = "struct A {\n    /// Why.\n    #[serde(\n        default\n    )]\n    pub(crate) b: u8,\n    \
                   /// In milliseconds, at most 5.\n    pub c: u8,\n    /// Which one.\n    D,\n    e: u8,\n}\n";
    assert_eq!(terse(planted), [(6, "Why. pub(crate) b: u8,".to_owned())]);
}
