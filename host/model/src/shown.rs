//! Bounds what a sentence repeats of a text that came from outside.
//!
//! An error that quotes its input is as long as the input, and one that lists
//! what it found is as long as the file. So a sentence shows the beginning of a
//! text and a few examples of a list, and says how much there is.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Most bytes of a name within a sentence.
pub const SHOWN_NAME_BYTES_MAX: usize = 120;
/// Most bytes of a message of another program within a sentence.
pub const SHOWN_TEXT_BYTES_MAX: usize = 2048;
/// Most examples of a list within a sentence.
pub const SHOWN_EXAMPLES_MAX: usize = 4;

/// Returns at most `bytes_max` bytes of `text`, cut at a character, and how many
/// bytes it has if that is not all of it.
pub fn shown(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(bytes_max);
    Cow::Owned(format!("{}… ({} bytes)", &text[..end], text.len()))
}

/// Returns a name in backticks, for a sentence: bounded, on one line and with
/// nothing that steers a terminal or a log.
pub fn shown_name(name: &str) -> String {
    let end = name.floor_char_boundary(SHOWN_NAME_BYTES_MAX.min(name.len()));
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
pub fn shown_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let mut text = String::new();
    for name in names.by_ref().take(SHOWN_EXAMPLES_MAX) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&shown_name(name));
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
        assert_eq!(shown("short", 10), "short");
        assert_eq!(shown("ääää", 3), "ä… (8 bytes)");
        let long = "x".repeat(1 << 20);
        assert!(shown_name(&long).len() < SHOWN_NAME_BYTES_MAX + 30);
    }

    #[test]
    fn a_name_stays_on_its_line() {
        assert_eq!(shown_name("a\nb\u{1b}[2J"), "`a\\nb\\u{1b}[2J`");
    }

    #[test]
    fn a_list_is_a_few_examples_and_a_count() {
        assert_eq!(shown_names([]), "");
        assert_eq!(shown_names(["a", "b"]), "`a`, `b`");
        let many = vec!["x"; 1_000_000];
        assert_eq!(shown_names(many), "`x`, `x`, `x`, `x` and 999996 more");
    }
}
