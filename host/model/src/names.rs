//! Names that callers choose: namespaces, lanes, kinds, labels, signals, waitpoints.

use crate::{Invalid, Limits, RefusalCode, ensure, quoted};

impl Limits {
    /// Most bytes of a lane's name.
    pub const LANE_BYTES_MAX: usize = 64;
    /// Most bytes of a namespace.
    pub const NAMESPACE_BYTES_MAX: usize = 64;
    /// Most bytes of the name of a kind.
    pub const KIND_BYTES_MAX: usize = 128;
    /// Most bytes of the name of a person or a certificate in the name of a credential, behind
    /// its kind such as `oidc:`.
    pub const CREDENTIAL_NAME_BYTES_MAX: usize = 200;
    /// Most bytes of the name of the caller that asks for something or creates an execution,
    /// the credential before it included.
    pub const ACTOR_BYTES_MAX: usize = 255;
    /// Most bytes of a label's key.
    pub const TAG_KEY_BYTES_MAX: usize = 128;
    /// Most labels on one execution.
    pub const TAGS_MAX: usize = 32;
    /// Most bytes of a label's value.
    pub const TAG_VALUE_BYTES_MAX: usize = 256;
    /// Most bytes of an idempotency key.
    pub const KEY_BYTES_MAX: usize = 255;
    /// Most bytes of a media type.
    pub const CONTENT_TYPE_BYTES_MAX: usize = 255;
}

/// The namespace of a request that names none.
pub const NAMESPACE_DEFAULT: &str = "default";
/// The lane of a request that names none.
pub const LANE_DEFAULT: &str = "default";

/// Checks a lane name: 1 to 64 bytes of printable ASCII.
pub fn lane_name(text: &str) -> Result<(), Invalid> {
    printable("lane", text, Limits::LANE_BYTES_MAX)
}

/// Checks a namespace: 1 to 64 characters of `a-z`, `0-9`, `-`, `_` and `.`,
/// beginning with a letter or digit.
pub fn namespace_name(text: &str) -> Result<(), Invalid> {
    identifier("namespace", text, Limits::NAMESPACE_BYTES_MAX)
}

/// Checks an execution kind: 1 to 128 characters of `a-z`, `0-9`, `-`, `_` and
/// `.`, beginning with a letter or digit.
pub fn kind_name(text: &str) -> Result<(), Invalid> {
    identifier("kind", text, Limits::KIND_BYTES_MAX)
}

/// Checks the name of a worker or of its instance: 1 to 128 bytes of printable
/// ASCII.
pub fn worker_name(field: &'static str, text: &str) -> Result<(), Invalid> {
    printable(field, text, Limits::WORKER_NAME_BYTES_MAX)
}

/// Checks the name of an API key: 1 to 64 characters of `a-z`, `0-9`, `-`, `_` and `.`,
/// beginning with a letter or digit.
pub fn api_key_name(text: &str) -> Result<(), Invalid> {
    identifier("name", text, Limits::API_KEY_NAME_BYTES_MAX)
}

/// Checks a label's key: `^[a-z][a-z0-9_]*\.[a-z0-9_][a-z0-9_.]*$`, at most 128
/// bytes. The part before the dot names the owner of the label.
pub fn tag_key(text: &str) -> Result<(), Invalid> {
    let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    let ok = text.len() <= Limits::TAG_KEY_BYTES_MAX
        && text.split_once('.').is_some_and(|(owner, rest)| {
            owner.starts_with(|c: char| c.is_ascii_lowercase())
                && owner.bytes().all(word)
                && rest.bytes().next().is_some_and(word)
                && rest.bytes().all(|c| word(c) || c == b'.')
        });
    let checked = ensure("tags", ok, || {
        format!(
            "{} is not a valid label key; write owner.name in lower case, such as app.customer",
            quoted(text)
        )
    });
    checked.map_err(|invalid| invalid.coded(RefusalCode::InvalidTagKey))
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

/// Checks a signal's name: 1 to 128 bytes without control characters.
pub fn signal_name(text: &str) -> Result<(), Invalid> {
    plain_text("signal_name", text, Limits::SIGNAL_NAME_BYTES_MAX)
}

/// Checks a waitpoint's key: 1 to 128 bytes without control characters.
pub fn waitpoint_key(text: &str) -> Result<(), Invalid> {
    plain_text("waitpoint_key", text, Limits::WAITPOINT_KEY_BYTES_MAX)
        .map_err(|invalid| invalid.coded(RefusalCode::InvalidWaitpointKey))
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

/// Checks a word or line: 1 to `max` bytes without control characters.
pub fn plain_text(field: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    let ok = (1..=max).contains(&text.len()) && !text.contains(char::is_control);
    ensure(field, ok, || {
        format!("must be 1 to {max} bytes without control characters")
    })
}

pub(crate) fn identifier(field: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    let inner =
        |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_' | b'.');
    let ok = (1..=max).contains(&text.len())
        && text.bytes().all(inner)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    ensure(field, ok, || {
        format!(
            "must be 1 to {max} characters of a-z, 0-9, '-', '_' and '.', beginning with a letter or digit"
        )
    })
}

fn printable(field: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    let ok = (1..=max).contains(&text.len()) && text.bytes().all(|c| (0x20..=0x7e).contains(&c));
    ensure(field, ok, || {
        format!("must be 1 to {max} bytes of printable ASCII")
    })
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
            let refused = tag_key(bad).expect_err(bad);
            assert_eq!(refused.code, RefusalCode::InvalidTagKey);
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
