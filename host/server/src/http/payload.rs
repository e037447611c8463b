//! Payloads in JSON bodies: as JSON, as text or as base64.

use base64::Engine as _;
use engine::Payload;
use model::Invalid;
use serde_json::value::RawValue;

/// The forms a payload may stand in; at most one is given, and none is an empty
/// payload.
#[derive(Debug, Clone, Copy)]
pub struct Forms<'a> {
    /// The fields as they are called on the wire: the payload as JSON, and as
    /// base64.
    pub fields: (&'static str, &'static str),
    /// As JSON; kept byte for byte.
    pub json: Option<&'a RawValue>,
    /// As text.
    pub text: Option<&'a str>,
    /// As base64.
    pub base64: Option<&'a str>,
    /// Media type; absent, it follows from the form.
    pub content_type: Option<&'a str>,
}

impl Forms<'_> {
    /// Reads the payload.
    pub fn payload(self) -> Result<Payload, Invalid> {
        let (field, base64_field) = self.fields;
        let (standard, data) = match (self.json, self.text, self.base64) {
            (Some(json), None, None) => ("application/json", json.get().as_bytes().to_vec()),
            (None, Some(text), None) => ("text/plain; charset=utf-8", text.as_bytes().to_vec()),
            (None, None, Some(encoded)) => {
                let data = base64::engine::general_purpose::STANDARD
                    .decode(encoded)
                    .map_err(|error| {
                        Invalid::new(base64_field, format!("is no base64: {error}"))
                    })?;
                ("application/octet-stream", data)
            }
            (None, None, None) => ("application/octet-stream", Vec::new()),
            _ => {
                return Err(Invalid::new(
                    field,
                    format!("only one of {field}, {field}_text and {base64_field} may be given"),
                ));
            }
        };
        Ok(Payload::new(self.content_type.unwrap_or(standard), data))
    }
}
