//! The text of an API key, and its hash.
//!
//! ```text
//! fh_<32 random bytes, base64url without padding><8 hexadecimal digits>
//! ```
//!
//! The digits are a checksum of everything before them, so that a text with a typing error or
//! a cut end never reaches the database. They are no secret and prove nothing: the text is
//! accepted only if the database knows its hash. As 256 random bits cannot be guessed, the
//! hash needs neither a salt nor time.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::random;

/// What every text begins with, by which people and scanners recognize one.
const BEGINNING: &str = "fh_";
const SECRET_BYTES: usize = 32;
/// Characters of the secret in base64.
const SECRET_CHARS: usize = 43;
/// What so many characters could hold, by the estimate of the decoder.
const DECODED_BYTES_MAX: usize = SECRET_CHARS.div_ceil(4) * 3;
const CHECKSUM_BYTES: usize = 4;
const SIGNED_CHARS: usize = BEGINNING.len() + SECRET_CHARS;
const CHARS: usize = SIGNED_CHARS + 2 * CHECKSUM_BYTES;
/// Characters from the start that are kept: 48 of the 256 bits.
const SHOWN_CHARS: usize = BEGINNING.len() + 8;

/// The text of an API key. Anyone who has it may use it: redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeyText(String);

/// SHA-256 of the text of an API key: what hosts and the database know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash([u8; 32]);

impl ApiKeyText {
    /// Draws one that cannot be guessed.
    pub(crate) fn draw() -> Self {
        Self::of_secret(&random::bytes())
    }

    fn of_secret(secret: &[u8; SECRET_BYTES]) -> Self {
        let mut text = format!("{BEGINNING}{}", URL_SAFE_NO_PAD.encode(secret));
        let digits = checksum(&text);
        text.extend(digits.map(char::from));
        Self(text)
    }

    /// Returns the text, for the caller that asked for the key.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns its beginning, by which people recognize it.
    pub fn shown(&self) -> &str {
        &self.0[..SHOWN_CHARS]
    }

    /// Returns its hash.
    pub fn hash(&self) -> KeyHash {
        KeyHash::hashed(&self.0)
    }
}

impl fmt::Debug for ApiKeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeyText(..)")
    }
}

impl KeyHash {
    /// Returns the hash of a text that is well formed; `None` for any other.
    pub fn of(text: &str) -> Option<Self> {
        let hash = Self::of_any(text)?;
        Self::is_well_formed(text).then_some(hash)
    }

    /// Returns the hash of a text that has the length of one, to look up whether it is
    /// known: the hash of a text that is not well formed never is.
    pub fn of_any(text: &str) -> Option<Self> {
        let has_its_length = text.len() == CHARS && text.is_ascii();
        has_its_length.then(|| Self::hashed(text))
    }

    /// Returns whether a text has the form of a key and its checksum is right.
    pub fn is_well_formed(text: &str) -> bool {
        // Lengths first: everything below is bounded by them.
        if text.len() != CHARS || !text.is_ascii() {
            return false;
        }
        let (signed, digits) = text.split_at(SIGNED_CHARS);
        let Some(encoded) = signed.strip_prefix(BEGINNING) else {
            return false;
        };
        // Strict: one text for each secret.
        let mut secret = [0; DECODED_BYTES_MAX];
        let decoded = URL_SAFE_NO_PAD.decode_slice(encoded, &mut secret);
        let is_whole = decoded == Ok(SECRET_BYTES);
        is_whole && checksum(signed) == *digits.as_bytes()
    }

    fn hashed(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Returns the hash as the database has it.
    pub(super) fn column(&self) -> &[u8] {
        &self.0
    }
}

/// Every guess has it computed, so nothing is allocated.
fn checksum(signed: &str) -> [u8; 2 * CHECKSUM_BYTES] {
    let mut digits = [0; 2 * CHECKSUM_BYTES];
    let digest = Sha256::digest(signed);
    hex::encode_to_slice(&digest[..CHECKSUM_BYTES], &mut digits)
        .expect("invariant: two digits for each byte");
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_text_is_recognized_by_its_form() {
        let key = ApiKeyText::of_secret(&[0xff; 32]);
        let text = "fh_______________________________________________8d1b5cda";
        assert_eq!(key.reveal().len(), CHARS);
        assert_eq!(key.reveal()[..SIGNED_CHARS - 1], text[..SIGNED_CHARS - 1]);
        assert_eq!(KeyHash::of(key.reveal()), Some(key.hash()));
        assert_eq!(key.shown(), "fh_________");
        assert_eq!(format!("{key:?}"), "ApiKeyText(..)");
    }

    #[test]
    fn no_two_texts_are_drawn_alike() {
        let drawn: BTreeSet<_> = (0..1000).map(|_| ApiKeyText::draw().hash()).collect();
        assert_eq!(drawn.len(), 1000);
    }

    #[test]
    fn a_text_with_a_flipped_bit_or_a_lost_byte_has_no_hash() {
        let text = ApiKeyText::draw().reveal().to_owned();
        for at in 0..text.len() {
            assert_eq!(KeyHash::of(&text[..at]), None, "cut at {at}");
            assert_eq!(KeyHash::of(&text[at + 1..]), None, "from {at}");
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                // Bytes that are not UTF-8 cannot be passed at all.
                if let Ok(flipped) = String::from_utf8(bytes) {
                    assert_eq!(KeyHash::of(&flipped), None, "byte {at} bit {bit}");
                }
            }
        }
        for longer in [format!("{text}="), format!(" {text}"), format!("{text}0")] {
            assert_eq!(KeyHash::of(&longer), None, "{longer}");
        }
        assert_eq!(KeyHash::of(&text.to_uppercase()), None);
        assert_eq!(KeyHash::of(&"ä".repeat(CHARS / 2)), None);
        assert_eq!(KeyHash::of(&"fh_".repeat(1 << 20)), None);
    }
}
