//! The identity of bytes: SHA-256.

use crate::quoted;
use crate::wire::serialize_as_text;

/// The SHA-256 of some bytes; written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// A text that is not a digest; it is quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a valid digest: expected sha256: and 64 hexadecimal digits")]
pub struct DigestError(String);

impl Digest {
    /// Returns the first 12 digits, enough for people to tell digests apart.
    pub fn short(&self) -> String {
        self.to_string()[7..19].to_owned()
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let mut bytes = [0; 32];
        match hex::decode_to_slice(digits, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(DigestError(quoted(text))),
        }
    }
}

serialize_as_text!(Digest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_with_or_without_its_prefix() {
        let digest = Digest(std::array::from_fn(|n| n as u8));
        let text = digest.to_string();
        assert_eq!(text.parse(), Ok(digest));
        assert_eq!(text[7..].parse(), Ok(digest));
        assert!(text[..70].parse::<Digest>().is_err());
        assert!("sha256:zz".parse::<Digest>().is_err());
    }
}
