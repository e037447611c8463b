//! Patches of a summary document: JSON merge patches (RFC 7396).

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::AppendRefusal;
use crate::{Invalid, Limits};

impl Limits {
    /// Most levels of objects and lists in a patch, and so in a summary document.
    pub const PATCH_DEPTH_MAX: usize = 16;
}

/// The text that sets a member to `null`; a `null` in a merge patch removes it.
const NULL: &str = "__ff_null__";

/// A merge patch: a JSON object. A member that is `null` is removed, one that is an object
/// is merged, and anything else replaces what was there. The text `__ff_null__` as a
/// member sets it to `null`; in a list it is a text like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryPatch(pub(super) BTreeMap<String, Change>);

/// What a patch does to one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Removes it.
    Remove,
    /// Replaces it by a value, as its JSON text.
    Set(String),
    /// Merges an object into it.
    Merge(BTreeMap<String, Change>),
}

impl SummaryPatch {
    /// Reads a patch.
    ///
    /// # Errors
    /// [`AppendRefusal::PatchDepthExceeded`], and [`AppendRefusal::Invalid`] for what is
    /// not a JSON object.
    pub fn parse(json: &[u8]) -> Result<Self, AppendRefusal> {
        if depth(json) > Limits::PATCH_DEPTH_MAX {
            return Err(AppendRefusal::PatchDepthExceeded);
        }
        let wrong = |error: serde_json::Error| {
            Invalid::new("payload", format!("is not a JSON object: {error}"))
        };
        // Reads each text and number in full: as raw values they are only delimited.
        serde_json::from_slice::<serde_json::Value>(json).map_err(wrong)?;
        let text = std::str::from_utf8(json)
            .map_err(|error| Invalid::new("payload", format!("is not UTF-8: {error}")))?;
        Ok(Self(members(text).map_err(wrong)?))
    }
}

fn members(text: &str) -> Result<BTreeMap<String, Change>, serde_json::Error> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
    let change = |(name, value): (String, &RawValue)| {
        let value = value.get();
        let change = match value.as_bytes().first() {
            Some(b'{') => Change::Merge(members_of(value)?),
            Some(b'n') => Change::Remove,
            Some(b'"') if serde_json::from_str::<String>(value)? == NULL => {
                Change::Set("null".to_owned())
            }
            _ => Change::Set(compact(value)?),
        };
        Ok((name, change))
    };
    members.into_iter().map(change).collect()
}

/// As [`members`]; a function of its own, so that a closure may call it.
fn members_of(text: &str) -> Result<BTreeMap<String, Change>, serde_json::Error> {
    members(text)
}

/// Returns a value without the space between its parts.
fn compact(value: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str::<IgnoredAny>(value)?;
    let mut text = String::with_capacity(value.len());
    let (mut in_text, mut escaped) = (false, false);
    for c in value.chars() {
        if !in_text && c.is_ascii_whitespace() {
            continue;
        }
        in_text = match c {
            '"' if !escaped => !in_text,
            _ => in_text,
        };
        escaped = in_text && c == '\\' && !escaped;
        text.push(c);
    }
    Ok(text)
}

/// Returns how many objects and lists are within each other, of what may not be JSON.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json {
        match byte {
            b'"' if !escaped => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        escaped = in_text && *byte == b'\\' && !escaped;
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_an_object_of_bounded_depth() {
        for wrong in [
            "",
            "[]",
            "null",
            "1",
            "{",
            "{\"a\":}",
            "\"x\"",
            "{} {}",
            "{\"a\":1e999}",
        ] {
            let refused = SummaryPatch::parse(wrong.as_bytes()).expect_err(wrong);
            assert_eq!(refused.code(), "invalid_input", "{wrong}");
        }
        let surrogate = SummaryPatch::parse(br#"{"a":"\ud800"}"#).expect_err("half a pair");
        assert_eq!(surrogate.code(), "invalid_input");
        let nested = |levels: usize| "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels);
        assert!(SummaryPatch::parse(nested(16).as_bytes()).is_ok());
        let refused = SummaryPatch::parse(nested(17).as_bytes()).expect_err("too deep");
        assert_eq!(refused, AppendRefusal::PatchDepthExceeded);
        let lists = format!("{{\"a\":{}{}}}", "[".repeat(16), "]".repeat(16));
        let refused = SummaryPatch::parse(lists.as_bytes()).expect_err("too deep");
        assert_eq!(refused, AppendRefusal::PatchDepthExceeded);
        let deep = "[".repeat(1 << 20);
        let refused = SummaryPatch::parse(deep.as_bytes()).expect_err("far too deep");
        assert_eq!(refused, AppendRefusal::PatchDepthExceeded);
        let braces = format!(r#"{{"a":"{}\"{}"}}"#, "[".repeat(50), "{".repeat(50));
        assert!(SummaryPatch::parse(braces.as_bytes()).is_ok(), "in a text");
    }
}
