//! Texts of a request that are repeated in an answer or a log: bounded, and without
//! characters that control a terminal.

/// Most characters of a text of a request that an answer repeats.
const QUOTED_CHARS_MAX: usize = 80;

/// Returns bytes of a request as text: shortened, and with control characters and bytes
/// that are not UTF-8 escaped.
pub fn quoted(bytes: &[u8]) -> String {
    // A character has at most four bytes, so the bytes cut here would not be shown.
    let head = &bytes[..bytes.len().min(QUOTED_CHARS_MAX * 4)];
    let text = String::from_utf8_lossy(head);
    let mut quoted: String = text
        .chars()
        .take(QUOTED_CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if head.len() < bytes.len() || text.chars().count() > QUOTED_CHARS_MAX {
        quoted.push('…');
    }
    quoted
}

/// Undoes the escapes of a path or a query; `None` if two hexadecimal digits do not
/// follow each `%`.
pub fn unescaped(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => (digit(rest.next())? * 16 + digit(rest.next())?) as u8,
            _ => byte,
        });
    }
    Some(bytes)
}

/// Shortens a text to so many bytes, at the boundary of a character, and says so.
pub fn shorten(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_bytes_are_short_and_harmless() {
        assert_eq!(quoted(b"a\x1b[2J\n\xff"), "a\\u{1b}[2J\\n\u{fffd}");
        let long = "é".repeat(10_000);
        assert_eq!(quoted(long.as_bytes()).chars().count(), 81);
        assert_eq!(quoted("é".repeat(80).as_bytes()).chars().count(), 80);
    }

    #[test]
    fn escapes_are_undone_or_found_broken() {
        assert_eq!(
            unescaped("a%2fb+%C3%A9").as_deref(),
            Some("a/b+é".as_bytes())
        );
        for wrong in ["%", "a%4", "%zz", "%+1", "%é"] {
            assert_eq!(unescaped(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let mut text = "éé".to_owned();
        shorten(&mut text, 4);
        assert_eq!(text, "éé");
        text.push('é');
        shorten(&mut text, 4);
        assert_eq!(text, "…");
        let mut text = "abcdef".to_owned();
        shorten(&mut text, 5);
        assert_eq!(text, "ab…");
    }
}
