//! Payloads on the wire: how a request's field with JSON is read, and how bytes are
//! written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Reads a field that may hold any JSON. `null` is a value like any other; only a field
/// that is absent is `None`.
pub(crate) fn present<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(d).map(Some)
}

/// Writes bytes as every answer does: base64, standard alphabet, padded.
pub(super) fn encoded(data: &[u8]) -> String {
    STANDARD.encode(data)
}
