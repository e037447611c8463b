//! The secret that a webhook and its receiver share: `whsec_` and base64, as Standard
//! Webhooks has it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Invalid, Limits, ensure};

use crate::random;

/// What every text begins with.
const BEGINNING: &str = "whsec_";
/// Bytes that a secret may have.
const BYTES: std::ops::RangeInclusive<usize> = Limits::WEBHOOK_SECRET_BYTES;
/// Bytes of one that is drawn: as many as the hash it keys.
const DRAWN_BYTES: usize = 32;

/// The secret that a webhook and its receiver share. Anyone who has it may sign as this
/// instance: redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Vec<u8>);

impl WebhookSecret {
    /// Draws one that cannot be guessed, of 32 bytes.
    pub fn draw() -> Self {
        Self(random::bytes::<DRAWN_BYTES>().to_vec())
    }

    /// Reads `whsec_` and 16 to 64 bytes in base64.
    ///
    /// # Errors
    /// The text is not such a secret; it is not quoted.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            let (min, max) = (BYTES.start(), BYTES.end());
            format!("must be {BEGINNING} and {min} to {max} bytes in base64")
        };
        let bytes = text
            .strip_prefix(BEGINNING)
            .filter(|encoded| encoded.len() <= BYTES.end().div_ceil(3) * 4)
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .unwrap_or_default();
        ensure("secret", BYTES.contains(&bytes.len()), wrong)?;
        Ok(Self(bytes))
    }

    /// Returns the text, for the receiver.
    pub fn reveal(&self) -> String {
        format!("{BEGINNING}{}", STANDARD.encode(&self.0))
    }

    pub(super) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_it_is_shown_and_never_printed() {
        let drawn = WebhookSecret::draw();
        assert_ne!(drawn, WebhookSecret::draw());
        let shown = drawn.reveal();
        assert_eq!(WebhookSecret::parse(&shown), Ok(drawn.clone()));
        assert_eq!(format!("{drawn:?}"), "WebhookSecret(..)");
    }

    #[test]
    fn a_secret_has_16_to_64_bytes() {
        let with = |bytes: usize| format!("{BEGINNING}{}", STANDARD.encode(vec![7; bytes]));
        for bytes in [16, 17, 63, 64] {
            assert!(WebhookSecret::parse(&with(bytes)).is_ok(), "{bytes}");
        }
        let unprefixed = with(32).replace(BEGINNING, "");
        let unpadded = with(32).trim_end_matches('=').to_owned();
        for text in [
            "",
            BEGINNING,
            &with(15),
            &with(65),
            &unprefixed,
            &unpadded,
            "whsec_*",
        ] {
            let error = WebhookSecret::parse(text).expect_err(text).to_string();
            assert_eq!(error, "secret: must be whsec_ and 16 to 64 bytes in base64");
        }
    }
}
