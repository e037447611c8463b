//! What callers give to many verbs, payloads and texts, and its bounds.

use std::collections::BTreeMap;

use model::{Invalid, Limits, RefusalCode, ensure};
use sha2::{Digest as _, Sha256};

/// Bytes with the media type their producer gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// A media type such as `application/json`; never empty once it is stored.
    pub content_type: String,
    /// The bytes, which the engine never looks into.
    pub data: Vec<u8>,
}

impl Payload {
    /// Builds a payload.
    pub fn new(content_type: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self {
            content_type: content_type.into(),
            data: data.into(),
        }
    }

    /// Returns what tells it from another payload: SHA-256 of the media type, a zero
    /// byte and the bytes, as `observe.sql` computes it.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(&self.content_type)
            .chain_update([0])
            .chain_update(&self.data)
            .finalize()
            .into()
    }
}

/// Checks a media type: printable ASCII of bounded length; an empty one means
/// `application/octet-stream`.
pub(crate) fn content_type(field: &'static str, text: &mut String) -> Result<(), Invalid> {
    if text.is_empty() {
        "application/octet-stream".clone_into(text);
    }
    model::media_type(field, text)
}

/// Checks the length of a payload.
pub(crate) fn payload_bytes(field: &'static str, bytes: usize, max: u32) -> Result<(), Invalid> {
    let checked = at_most(field, bytes, max as usize);
    checked.map_err(|invalid| invalid.coded(RefusalCode::PayloadTooLarge))
}

/// Checks the labels that something is created with.
pub(crate) fn tags(tags: &BTreeMap<String, String>) -> Result<(), Invalid> {
    let (labels, max) = (tags.len(), Limits::TAGS_MAX);
    ensure("tags", labels <= max, || {
        format!("{labels} labels exceed the limit of {max}")
    })?;
    for (key, value) in tags {
        model::tag_key(key)?;
        text("tags", value, Limits::TAG_VALUE_BYTES_MAX)?;
    }
    Ok(())
}

/// Checks labels that are set, or removed where they have no value.
pub(crate) fn changed_tags(tags: &BTreeMap<String, Option<String>>) -> Result<(), Invalid> {
    ensure("tags", !tags.is_empty(), || "names no label")?;
    for (key, value) in tags {
        model::tag_key(key)?;
        let value = value.as_deref().unwrap_or_default();
        text("tags", value, Limits::TAG_VALUE_BYTES_MAX)?;
    }
    Ok(())
}

/// Checks a text for people that a caller gives: bounded, and without the one
/// character that the database cannot hold.
pub(crate) fn text(field: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    at_most(field, text.len(), max)?;
    ensure(
        field,
        !text.contains('\0'),
        || "holds U+0000, which cannot be stored",
    )
}

/// Checks such a text that must not be empty.
pub(crate) fn given(field: &'static str, given: &str, max: usize) -> Result<(), Invalid> {
    ensure(field, !given.is_empty(), || "is empty")?;
    text(field, given, max)
}

/// Checks how long something waits, in milliseconds.
pub(crate) fn delay(delay_ms: u64) -> Result<(), Invalid> {
    ensure(
        "delay_ms",
        delay_ms <= Limits::DURATION_MS_MAX,
        || "is more than ten years",
    )
}

fn at_most(field: &'static str, bytes: usize, max: usize) -> Result<(), Invalid> {
    ensure(field, bytes <= max, || {
        format!("{bytes} bytes exceed the limit of {max}")
    })
}
