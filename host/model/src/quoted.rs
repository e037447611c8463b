//! Quotations of untrusted text in sentences, with bounds.
//!
//! An error that quotes its input is as long as the input, and one that lists
//! what it found is as long as the file. So a sentence quotes the beginning of a
//! text or a few examples of a list, and says how long the whole is.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Most bytes of a name that a sentence quotes.
pub const QUOTED_NAME_BYTES_MAX: usize = 120;
/// Most bytes of another program's message that a sentence quotes.
pub const QUOTED_TEXT_BYTES_MAX: usize = 2048;
/// Most elements of a list that a sentence quotes.
pub const QUOTED_EXAMPLES_MAX: usize = 4;

/// Returns at most `bytes_max` bytes of `text`, cut at a character boundary, followed
/// by its length if something was cut.
pub fn truncated(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(bytes_max);
    Cow::Owned(format!("{}… ({} bytes)", &text[..end], text.len()))
}

/// Returns a name in backticks: bounded, on one line, and with control characters
/// escaped, so that it changes nothing in a terminal or a log.
pub fn quoted(name: &str) -> String {
    let end = name.floor_char_boundary(QUOTED_NAME_BYTES_MAX.min(name.len()));
    let mut text = String::from("`");
    for c in name[..end].chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text.push('`');
    if end < name.len() {
        // Writing to a string cannot fail.
        let _ = write!(text, "… ({} bytes)", name.len());
    }
    text
}

/// Returns the first few of `names` in backticks, and how many more there are.
pub fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let mut text = String::new();
    for name in names.by_ref().take(QUOTED_EXAMPLES_MAX) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&quoted(name));
    }
    match names.count() {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_a_character_and_says_its_length() {
        assert_eq!(truncated("short", 10), "short");
        assert_eq!(truncated("ääää", 3), "ä… (8 bytes)");
        let long = "x".repeat(1 << 20);
        assert!(quoted(&long).len() < QUOTED_NAME_BYTES_MAX + 30);
    }

    #[test]
    fn a_name_stays_on_its_line() {
        assert_eq!(quoted("a\nb\u{1b}[2J"), "`a\\nb\\u{1b}[2J`");
    }

    #[test]
    fn a_list_is_a_few_examples_and_a_count() {
        assert_eq!(quoted_list([]), "");
        assert_eq!(quoted_list(["a", "b"]), "`a`, `b`");
        let many = vec!["x"; 1_000_000];
        assert_eq!(quoted_list(many), "`x`, `x`, `x`, `x` and 999996 more");
    }
}
