//! Names people give: namespaces, lanes, kinds, labels, signals, waitpoints.

use crate::Limits;

/// The namespace of whoever names none.
pub const NAMESPACE_DEFAULT: &str = "default";
/// The lane of whoever names none.
pub const LANE_DEFAULT: &str = "default";

/// An argument that breaks a documented bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Invalid {
    /// The argument, as it is called on the wire.
    pub field: &'static str,
    /// What is wrong with it and what would be right.
    pub detail: String,
}

impl Invalid {
    /// Builds one.
    pub fn new(field: &'static str, detail: impl Into<String>) -> Self {
        Self {
            field,
            detail: detail.into(),
        }
    }
}

/// Checks a lane name: 1 to 64 bytes of printable ASCII.
pub fn lane_name(text: &str) -> Result<(), Invalid> {
    printable("lane", text, 64)
}

/// Checks a namespace: 1 to 64 characters of `a-z`, `0-9`, `-`, `_` and `.`,
/// beginning with a letter or digit.
pub fn namespace_name(text: &str) -> Result<(), Invalid> {
    identifier("namespace", text, 64)
}

/// Checks an execution kind: 1 to 128 characters of `a-z`, `0-9`, `-`, `_` and
/// `.`, beginning with a letter or digit.
pub fn kind_name(text: &str) -> Result<(), Invalid> {
    identifier("kind", text, 128)
}

/// Checks the name of a worker or of its instance: 1 to 128 bytes of printable
/// ASCII.
pub fn worker_name(field: &'static str, text: &str) -> Result<(), Invalid> {
    printable(field, text, Limits::WORKER_NAME_BYTES_MAX)
}

/// Checks a label's key: `^[a-z][a-z0-9_]*\.[a-z0-9_][a-z0-9_.]*$`, at most 128
/// bytes. The part before the dot names whoever owns the label.
pub fn tag_key(text: &str) -> Result<(), Invalid> {
    let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    let ok = text.len() <= 128
        && text.split_once('.').is_some_and(|(owner, rest)| {
            owner.starts_with(|c: char| c.is_ascii_lowercase())
                && owner.bytes().all(word)
                && rest.bytes().next().is_some_and(word)
                && rest.bytes().all(|c| word(c) || c == b'.')
        });
    if ok {
        Ok(())
    } else {
        Err(Invalid::new(
            "tags",
            format!(
                "`{}` is no label key; write owner.name in lower case, such as app.customer",
                text.escape_debug().take(80).collect::<String>()
            ),
        ))
    }
}

/// Checks the code of a failure that a caller gives, a stable name for programs: 1 to 64
/// characters of `a-z`, `0-9` and `_`, and not one that only the engine gives, see
/// [`EngineCode`](crate::EngineCode).
pub fn failure_code(text: &str) -> Result<(), Invalid> {
    let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    if !(1..=64).contains(&text.len()) || !text.bytes().all(word) {
        let detail = format!(
            "`{}` is not the code of a failure: it must be 1 to 64 characters of a-z, 0-9 and '_'",
            text.escape_debug().take(80).collect::<String>()
        );
        return Err(Invalid::new("code", detail));
    }
    if crate::is_reserved_code(text) {
        let detail = format!("`{text}` is reserved: only the engine gives that code");
        return Err(Invalid::new("code", detail));
    }
    Ok(())
}

/// Checks an idempotency key: 1 to 255 bytes without U+0000.
pub fn idempotency_key(text: &str) -> Result<(), Invalid> {
    let max = Limits::KEY_BYTES_MAX;
    let detail = if text.is_empty() {
        "is empty; leave it out instead".to_owned()
    } else if text.len() > max {
        format!("{} bytes exceed the limit of {max}", text.len())
    } else if text.contains('\0') {
        "holds U+0000, which cannot be stored".to_owned()
    } else {
        return Ok(());
    };
    Err(Invalid::new("idempotency_key", detail))
}

/// Checks a priority, which is given as any whole number: 0 to
/// [`PRIORITY_MAX`](crate::PRIORITY_MAX).
pub fn priority(number: i64) -> Result<u16, Invalid> {
    u16::try_from(number)
        .ok()
        .filter(|priority| *priority <= crate::PRIORITY_MAX)
        .ok_or_else(|| {
            let detail = format!("{number} is out of range: 0 to {}", crate::PRIORITY_MAX);
            Invalid::new("priority", detail)
        })
}

/// Checks a signal's name: 1 to 128 bytes without control characters.
pub fn signal_name(text: &str) -> Result<(), Invalid> {
    plain("signal_name", text, Limits::SIGNAL_NAME_BYTES_MAX)
}

/// Checks a waitpoint's key: 1 to 128 bytes without control characters.
pub fn waitpoint_key(text: &str) -> Result<(), Invalid> {
    plain("waitpoint_key", text, Limits::WAITPOINT_KEY_BYTES_MAX)
}

/// Checks a media type: at most 255 bytes of printable ASCII. An empty one stands
/// for `application/octet-stream`.
pub fn media_type(field: &'static str, text: &str) -> Result<(), Invalid> {
    let max = Limits::CONTENT_TYPE_BYTES_MAX;
    if text.is_empty() {
        return Ok(());
    }
    printable(field, text, max)
}

fn plain(field: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    let ok = (1..=max).contains(&text.len()) && !text.contains(char::is_control);
    if ok {
        Ok(())
    } else {
        Err(Invalid::new(
            field,
            format!("must be 1 to {max} bytes without control characters"),
        ))
    }
}

fn identifier(field: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    let inner =
        |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_' | b'.');
    let ok = (1..=max).contains(&text.len())
        && text.bytes().all(inner)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if ok {
        Ok(())
    } else {
        Err(Invalid::new(
            field,
            format!(
                "must be 1 to {max} characters of a-z, 0-9, '-', '_' and '.', beginning with a letter or digit"
            ),
        ))
    }
}

fn printable(field: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    let ok = (1..=max).contains(&text.len()) && text.bytes().all(|c| (0x20..=0x7e).contains(&c));
    if ok {
        Ok(())
    } else {
        Err(Invalid::new(
            field,
            format!("must be 1 to {max} bytes of printable ASCII"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_keys_follow_their_rule() {
        for good in ["app.customer", "a.b.c", "x1_.9", "a._"] {
            assert_eq!(tag_key(good), Ok(()), "{good}");
        }
        for bad in [
            "", ".", "a", "a.", ".a", "1a.b", "A.b", "a.B", "a..b", "a b.c", "a.b\0",
        ] {
            assert!(tag_key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn codes_of_failures_are_words_for_programs() {
        for good in ["a", "bad_image", "http_503", "_", &"x".repeat(64)] {
            assert_eq!(failure_code(good), Ok(()), "{good}");
        }
        for bad in ["", "Bad Code", "a-b", "a.b", "ä", "a\0", &"x".repeat(65)] {
            let refused = failure_code(bad).expect_err(bad);
            assert_eq!(refused.field, "code");
        }
    }

    #[test]
    fn a_priority_out_of_range_is_refused_and_not_clamped() {
        assert_eq!(priority(0), Ok(0));
        assert_eq!(priority(9000), Ok(9000));
        for bad in [-1, 9001, 65_536, i64::MIN, i64::MAX] {
            let refused = priority(bad).expect_err("out of range");
            assert!(refused.to_string().contains("0 to 9000"), "{refused}");
        }
    }

    #[test]
    fn kinds_and_namespaces_are_plain_words() {
        for good in ["thumbnail", "csv-report", "v1.resize", "0x"] {
            assert_eq!(kind_name(good), Ok(()), "{good}");
        }
        let long = "k".repeat(129);
        for bad in ["", "-a", "A", "a/b", "a b", "ä", long.as_str()] {
            assert!(kind_name(bad).is_err(), "{bad}");
        }
    }
}
