//! Waitpoint tokens: what a program outside holds as proof that it may signal a waitpoint.
//!
//! ```text
//! v1.<kid>.<claims>.<HMAC-SHA-256>        the last two base64url without padding
//! ```
//!
//! The MAC covers everything before its dot, byte for byte, and the purpose of the token.
//! Nothing in a token is trusted before the MAC was compared, in constant time.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use model::{Limits, WaitpointClaims};
use sha2::Sha256;

const VERSION: &str = "v1";
const MAC_BYTES: usize = 32;
/// Hexadecimal digits of a MAC that people see.
const FINGERPRINT_DIGITS: usize = 16;

/// The text of a waitpoint token. Anyone who has it may use it: redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct WaitpointToken(String);

impl WaitpointToken {
    /// Returns the text, for the caller that asked for the token.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WaitpointToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WaitpointToken(..)")
    }
}

/// A key that signs waitpoint tokens, decrypted.
#[derive(Clone)]
pub struct WaitpointTokenKey {
    kid: String,
    mac: Hmac<Sha256>,
}

/// A token whose MAC was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) claims: WaitpointClaims,
    pub(crate) fingerprint: String,
}

impl WaitpointTokenKey {
    /// Builds a key from its id, which must pass [`model::waitpoint_kid`], and its secret.
    pub fn new(kid: &str, secret: &[u8]) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret)
            .expect("invariant: HMAC takes keys of any length");
        mac.update(b"flowhost waitpoint token\0");
        Self {
            kid: kid.to_owned(),
            mac,
        }
    }

    /// Signs claims, which must pass [`WaitpointClaims::check`]; returns the token and its
    /// fingerprint.
    pub fn sign(&self, claims: &WaitpointClaims) -> (WaitpointToken, String) {
        let claims = URL_SAFE_NO_PAD.encode(claims.encode());
        let signed = format!("{VERSION}.{}.{claims}", self.kid);
        let mac: [u8; MAC_BYTES] = self.mac_of(&signed).finalize().into_bytes().into();
        let text = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
        (WaitpointToken(text), fingerprint(&mac))
    }

    /// Verifies the signature of a token of this key; `None` if it is not valid, regardless of what
    /// is wrong with it. Whether the claims are still valid is left to the caller.
    pub fn verify(&self, text: &str) -> Option<WaitpointClaims> {
        let parts = Parts::of(text).filter(|parts| parts.kid == self.kid)?;
        Some(self.verify_parts(&parts)?.claims)
    }

    pub(crate) fn verify_parts(&self, parts: &Parts<'_>) -> Option<Verified> {
        // Strict: one text for each MAC, so that a text that was changed without changing
        // its meaning is refused as well.
        let mac = URL_SAFE_NO_PAD.decode(parts.mac).ok()?;
        self.mac_of(parts.signed).verify_slice(&mac).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(parts.claims).ok()?;
        Some(Verified {
            claims: WaitpointClaims::decode(&claims)?,
            fingerprint: fingerprint(&mac),
        })
    }

    fn mac_of(&self, signed: &str) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(signed.as_bytes());
        mac
    }
}

impl fmt::Debug for WaitpointTokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitpointTokenKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// A text that has the form of a token; nothing in it is trusted yet.
pub(crate) struct Parts<'a> {
    pub(crate) kid: &'a str,
    signed: &'a str,
    claims: &'a str,
    mac: &'a str,
}

impl<'a> Parts<'a> {
    /// Splits a text. Its length is checked before anything else.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        if text.len() > Limits::WAITPOINT_TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, mac) = text.rsplit_once('.')?;
        let rest = signed.strip_prefix(VERSION)?.strip_prefix('.')?;
        let (kid, claims) = rest.split_once('.')?;
        model::waitpoint_kid(kid).ok()?;
        (!claims.contains('.')).then_some(Self {
            kid,
            signed,
            claims,
            mac,
        })
    }
}

fn fingerprint(mac: &[u8]) -> String {
    hex::encode(&mac[..FINGERPRINT_DIGITS / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ExecutionId, WaitpointId};
    use uuid::Uuid;

    fn key() -> WaitpointTokenKey {
        WaitpointTokenKey::new("k1", &[7; 32])
    }

    fn claims() -> WaitpointClaims {
        WaitpointClaims {
            instance_id: Uuid::from_u128(1),
            generation: 1,
            namespace: "default".into(),
            execution_id: ExecutionId::from_uuid(Uuid::from_u128(3)),
            waitpoint_id: WaitpointId(Uuid::from_u128(4)),
            signal_names: vec!["approved".into()],
            expires_at_us: None,
            nonce: [6; 16],
        }
    }

    fn token(claims: &WaitpointClaims) -> String {
        key().sign(claims).0.reveal().to_owned()
    }

    #[test]
    fn a_token_is_verified_as_it_was_signed() {
        let (token, fingerprint) = key().sign(&claims());
        assert_eq!(key().verify(token.reveal()), Some(claims()));
        let parts = Parts::of(token.reveal()).expect("a token");
        let verified = key().verify_parts(&parts).expect("of this key");
        assert_eq!(verified.fingerprint, fingerprint);
        let mac = URL_SAFE_NO_PAD.decode(parts.mac).expect("a MAC");
        assert_eq!(fingerprint, hex::encode(mac)[..16]);
        assert_eq!(format!("{token:?}"), "WaitpointToken(..)");
    }

    #[test]
    fn the_longest_token_is_within_the_bound() {
        let longest = WaitpointClaims {
            namespace: "n".repeat(64),
            signal_names: vec!["x".repeat(128); Limits::WAITPOINT_TOKEN_SIGNAL_NAMES_MAX],
            expires_at_us: Some(i64::MAX),
            ..claims()
        };
        assert_eq!(longest.check(), Ok(()));
        let key = WaitpointTokenKey::new(&"k".repeat(Limits::KID_BYTES_MAX), &[7; 32]);
        let (token, _) = key.sign(&longest);
        assert_eq!(key.verify(token.reveal()), Some(longest));
    }

    #[test]
    fn a_token_with_a_flipped_bit_or_a_lost_byte_is_not_valid() {
        let text = token(&claims());
        for at in 0..text.len() {
            assert_eq!(key().verify(&text[..at]), None, "cut at {at}");
            assert_eq!(key().verify(&text[at + 1..]), None, "from {at}");
            let without = format!("{}{}", &text[..at], &text[at + 1..]);
            assert_eq!(key().verify(&without), None, "without {at}");
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                // Bytes that are not UTF-8 cannot be passed at all.
                if let Ok(flipped) = String::from_utf8(bytes) {
                    assert_eq!(key().verify(&flipped), None, "byte {at} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_token_has_one_spelling() {
        let text = token(&claims());
        let (signed, mac) = text.rsplit_once('.').expect("a MAC");
        // 32 bytes leave two bits of the last digit unused.
        const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (last, digits) = (mac.chars().last().expect("a digit"), mac.len() - 1);
        let value = DIGITS.find(last).expect("a digit");
        for unused in 1..4 {
            let other = &DIGITS[value + unused..=value + unused];
            let spelt = format!("{signed}.{}{other}", &mac[..digits]);
            assert_eq!(key().verify(&spelt), None, "{spelt}");
        }
        let standard = (0..=255)
            .map(|nonce| {
                token(&WaitpointClaims {
                    nonce: [nonce; 16],
                    ..claims()
                })
            })
            .filter(|text| text.contains(['-', '_']))
            .map(|text| text.replace('-', "+").replace('_', "/"));
        for spelt in standard.chain([
            format!("{text}="),
            format!("{text}=="),
            format!("{text}\n"),
            format!(" {text}"),
            format!("{text}A"),
            format!("{text}."),
            text.replacen('.', "..", 1),
            text.replace("v1.", "V1."),
        ]) {
            assert_eq!(key().verify(&spelt), None, "{spelt}");
        }
    }

    #[test]
    fn claims_of_another_token_do_not_match_the_mac() {
        let other = WaitpointClaims {
            waitpoint_id: WaitpointId(Uuid::from_u128(5)),
            ..claims()
        };
        let (one, two) = (token(&claims()), token(&other));
        let (one, two): (Vec<_>, Vec<_>) = (one.split('.').collect(), two.split('.').collect());
        let swapped = [one[0], one[1], two[2], one[3]].join(".");
        assert_eq!(key().verify(&swapped), None);
        let without_mac = [one[0], one[1], one[2], ""].join(".");
        assert_eq!(key().verify(&without_mac), None);
    }

    #[test]
    fn a_token_with_an_unknown_key_or_version_is_rejected() {
        let text = token(&claims());
        let parts: Vec<_> = text.split('.').collect();
        let long = "k".repeat(1 << 20);
        for kid in ["", "../k1", "..", "k1\0", "\0", "k1:", "K1", "none", &long] {
            let spelt = [parts[0], kid, parts[2], parts[3]].join(".");
            assert_eq!(key().verify(&spelt), None, "{}", &spelt[..20]);
        }
        for version in ["v0", "v2", "", "v1.v1", "none"] {
            let spelt = [version, parts[1], parts[2], parts[3]].join(".");
            assert_eq!(key().verify(&spelt), None, "{spelt}");
        }
        for other in [
            WaitpointTokenKey::new("k2", &[7; 32]),
            WaitpointTokenKey::new("k1", &[8; 32]),
        ] {
            assert_eq!(other.verify(&text), None);
        }
    }

    /// A key of the same secret with another id signs other tokens: the id is signed too.
    #[test]
    fn a_token_is_not_moved_to_another_key() {
        let moved = token(&claims()).replacen(".k1.", ".k2.", 1);
        assert_eq!(WaitpointTokenKey::new("k2", &[7; 32]).verify(&moved), None);
    }
}
