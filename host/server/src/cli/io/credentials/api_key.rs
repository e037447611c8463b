//! An API key, as requests carry it.

use reqwest::header::HeaderValue;

use crate::cli::io::Failure;

/// An API key that a header can carry: redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Takes a key; of any form, since other credentials are sent the same way.
    pub fn new(text: String) -> Result<Self, Failure> {
        if text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self(text));
        }
        Err(Failure::usage(
            "the API key holds spaces or characters that no header can carry; is it whole?",
        ))
    }

    /// Returns the text.
    #[cfg(test)]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the value of the header that carries it.
    pub fn header(&self) -> HeaderValue {
        let value = HeaderValue::from_str(&format!("Bearer {}", self.0));
        let mut value = value.expect("invariant: it was checked when it was taken");
        value.set_sensitive(true);
        value
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey(..)")
    }
}
