//! Reads payloads, each of which comes in one of three fields: JSON kept byte for byte,
//! text, or base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::Payload;
use model::Invalid;
use serde_json::value::RawValue;

/// The fields of a request that hold a payload, of which at most one is given.
pub struct PayloadFields<'a> {
    /// The names of the fields.
    pub names: Names,
    /// The payload as JSON.
    pub json: Option<&'a RawValue>,
    /// The payload as text.
    pub text: Option<&'a str>,
    /// The payload as base64, standard alphabet, padded.
    pub base64: Option<&'a str>,
    /// The media type; when absent it follows from the field given.
    pub content_type: Option<&'a str>,
}

/// The names of the fields that hold one payload: the one with JSON, after which the
/// others are named, and the one with base64.
#[derive(Debug, Clone, Copy)]
pub struct Names(&'static str, &'static str);

/// The input of an execution.
pub const INPUT: Names = Names("input", "input_base64");
/// The result of an attempt.
pub const RESULT: Names = Names("result", "result_base64");
/// The payload of a signal.
pub const PAYLOAD: Names = Names("payload", "payload_base64");
/// The saved state of a suspension.
pub const STATE: Names = Names("state", "state_base64");

impl<'a> PayloadFields<'a> {
    /// Gathers the fields of a request.
    pub fn new(
        names: Names,
        json: &'a Option<Box<RawValue>>,
        text: &'a Option<String>,
        base64: &'a Option<String>,
        content_type: &'a Option<String>,
    ) -> Self {
        Self {
            names,
            json: json.as_deref(),
            text: text.as_deref(),
            base64: base64.as_deref(),
            content_type: content_type.as_deref(),
        }
    }

    /// Reads the one field given, if one is. A media type without a payload is refused.
    pub fn given(self) -> Result<Option<Payload>, Invalid> {
        let Names(name, _) = self.names;
        match (self.json, self.text, self.base64) {
            (None, None, None) if self.content_type.is_some() => {
                let detail = format!("is given without {name}");
                Err(Invalid::new("content_type", detail))
            }
            (None, None, None) => Ok(None),
            _ => self.read().map(Some),
        }
    }

    /// Reads the one field given; the payload is empty when none is.
    pub fn read(self) -> Result<Payload, Invalid> {
        let Names(name, name_base64) = self.names;
        let (standard, data) = match (self.json, self.text, self.base64) {
            (Some(json), None, None) => ("application/json", json.get().as_bytes().to_vec()),
            (None, Some(text), None) => ("text/plain; charset=utf-8", text.as_bytes().to_vec()),
            (None, None, Some(encoded)) => {
                let data = STANDARD.decode(encoded).map_err(|error| {
                    let detail = format!("is not valid base64: {error}");
                    Invalid::new(name_base64, detail)
                })?;
                ("application/octet-stream", data)
            }
            (None, None, None) => ("application/octet-stream", Vec::new()),
            _ => {
                let detail =
                    format!("only one of {name}, {name}_text and {name_base64} may be given");
                return Err(Invalid::new(name, detail));
            }
        };
        let content_type = self.content_type.unwrap_or(standard).to_owned();
        Ok(Payload { content_type, data })
    }
}
