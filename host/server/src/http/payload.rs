//! Reads payloads, which come in one of three forms: JSON kept byte for byte,
//! text, or base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::Payload;
use model::Invalid;
use serde_json::value::RawValue;

/// A payload as a request gives it.
pub struct Forms<'a> {
    /// What the three fields are called.
    pub names: Names,
    /// As JSON.
    pub json: Option<&'a RawValue>,
    /// As text.
    pub text: Option<&'a str>,
    /// As base64, standard alphabet, padded.
    pub base64: Option<&'a str>,
    /// Its media type; absent, it follows from the form.
    pub content_type: Option<&'a str>,
}

/// What the fields of a payload are called.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// The one with JSON.
    pub json: &'static str,
    /// The one with base64.
    pub base64: &'static str,
    /// When more than one is given.
    pub one_of: &'static str,
}

/// Of an execution.
pub const INPUT: Names = Names {
    json: "input",
    base64: "input_base64",
    one_of: "only one of input, input_text and input_base64 may be given",
};

/// Of an attempt.
pub const RESULT: Names = Names {
    json: "result",
    base64: "result_base64",
    one_of: "only one of result, result_text and result_base64 may be given",
};

/// Of a signal.
pub const PAYLOAD: Names = Names {
    json: "payload",
    base64: "payload_base64",
    one_of: "only one of payload, payload_text and payload_base64 may be given",
};

/// Of a suspension.
pub const STATE: Names = Names {
    json: "state",
    base64: "state_base64",
    one_of: "only one of state, state_text and state_base64 may be given",
};

impl Forms<'_> {
    /// Reads the one form given, if one is. A media type says something about nothing
    /// otherwise.
    pub fn given(self) -> Result<Option<Payload>, Invalid> {
        match (self.json, self.text, self.base64) {
            (None, None, None) if self.content_type.is_some() => {
                let detail = format!("is given without {}", self.names.json);
                Err(Invalid::new("content_type", detail))
            }
            (None, None, None) => Ok(None),
            _ => self.read().map(Some),
        }
    }

    /// Reads the one form given; none is an empty payload.
    pub fn read(self) -> Result<Payload, Invalid> {
        let (standard, data) = match (self.json, self.text, self.base64) {
            (Some(json), None, None) => ("application/json", json.get().as_bytes().to_vec()),
            (None, Some(text), None) => ("text/plain; charset=utf-8", text.as_bytes().to_vec()),
            (None, None, Some(encoded)) => {
                let data = STANDARD.decode(encoded).map_err(|error| {
                    Invalid::new(self.names.base64, format!("is no base64: {error}"))
                })?;
                ("application/octet-stream", data)
            }
            (None, None, None) => ("application/octet-stream", Vec::new()),
            _ => return Err(Invalid::new(self.names.json, self.names.one_of)),
        };
        let content_type = self.content_type.unwrap_or(standard).to_owned();
        Ok(Payload { content_type, data })
    }
}
