//! Escapes control characters in untrusted text, so that what guests and callers wrote
//! can neither steer a terminal nor disguise itself.

use std::fmt::Write as _;

/// Escapes characters that steer a terminal or disguise text, line ends included.
pub fn escape(text: &str) -> String {
    escaped(text, |_| false, write_escaped)
}

/// Like [`escape`], but keeps line ends and tabs.
pub fn escape_lines(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'), write_escaped)
}

/// Escapes the same characters in JSON, where they stand in strings only: the result is
/// the same value.
pub fn escape_json(text: &str) -> String {
    let write = |safe: &mut String, c: char| {
        let mut units = [0; 2];
        c.encode_utf16(&mut units)
            .iter()
            .try_for_each(|unit| write!(safe, "\\u{unit:04x}"))
    };
    escaped(text, |c| matches!(c, '\n' | '\t'), write)
}

fn escaped(
    text: &str,
    keep: impl Fn(char) -> bool,
    write: impl Fn(&mut String, char) -> std::fmt::Result,
) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if !keep(c) && (c.is_control() || disguises(c)) {
            // Writing to a string cannot fail.
            let _ = write(&mut safe, c);
        } else {
            safe.push(c);
        }
    }
    safe
}

fn write_escaped(safe: &mut String, c: char) -> std::fmt::Result {
    match c {
        '\n' => write!(safe, "\\n"),
        '\r' => write!(safe, "\\r"),
        '\t' => write!(safe, "\\t"),
        c if c.is_ascii() => write!(safe, "\\x{:02x}", c as u32),
        c => write!(safe, "\\u{{{:x}}}", c as u32),
    }
}

/// Whether a character changes the order or place of others, or cannot be seen.
const fn disguises(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_cannot_steer_a_terminal() {
        assert_eq!(
            escape("a\x1b[2Jb\r\n\u{9b}c\u{202e}d\0\x7f"),
            "a\\x1b[2Jb\\r\\n\\u{9b}c\\u{202e}d\\x00\\x7f"
        );
        assert_eq!(escape_lines("a\n\tb\r"), "a\n\tb\\r");
        assert_eq!(escape("größe 漢字 🙂"), "größe 漢字 🙂");
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let text = "{\"a\": \"\u{7f}\u{9b}2J\u{202e}\u{e0001}é\"}\n";
        let safe = escape_json(text);
        assert!(!safe.trim_end().contains(char::is_control), "{safe}");
        assert!(!safe.contains('\u{202e}'), "{safe}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(read(&safe), read(text));
    }
}
