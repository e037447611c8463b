//! Keys that waitpoint tokens are signed with: their names, and why a change of
//! them is refused.

use crate::wire::named;
use crate::{Invalid, Limits, Refusal, RefusalCode, Told, ensure};

impl Limits {
    /// Most bytes of the id of a waitpoint key.
    pub const KID_BYTES_MAX: usize = 32;
    /// Length of the secret of a waitpoint key, in bytes.
    pub const KEY_SECRET_BYTES: std::ops::RangeInclusive<usize> = 32..=64;
    /// Longest time in milliseconds for which tokens of a waitpoint key are accepted after
    /// its successor became active: 366 days.
    pub const KEY_GRACE_MS_MAX: u64 = 366 * 24 * 3600 * 1000;
    /// That time unless the operator sets another: 24 hours.
    pub const KEY_GRACE_MS_DEFAULT: u64 = 24 * 3600 * 1000;
    /// Most waitpoint keys whose tokens are accepted at a time.
    pub const KEYS_MAX: usize = 100;
}

named! {
    /// Whether a key signs. Labels of the Postgres enum `waitpoint_key_state`.
    pub enum WaitpointKeyState ("waitpoint key state") {
        /// It signs new tokens; exactly one key does.
        Active = "active",
        /// Its tokens are accepted until it ends.
        Retiring = "retiring",
    }
}

/// Checks a key id: 1 to 32 characters of `A-Z`, `a-z`, `0-9`, `-` and
/// `_`, which may stand in a token.
pub fn waitpoint_kid(text: &str) -> Result<(), Invalid> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let max = Limits::KID_BYTES_MAX;
    let ok = (1..=max).contains(&text.len()) && text.bytes().all(plain);
    ensure("kid", ok, || {
        format!("must be 1 to {max} characters of A-Z, a-z, 0-9, '-' and '_'")
    })
}

/// Why a key was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRotateRefusal {
    /// The key id is not valid.
    #[error(transparent)]
    InvalidKid(Invalid),
    /// The secret is not valid.
    #[error(
        "the secret must be {} to {} hexadecimal digits, an even number",
        2 * Limits::KEY_SECRET_BYTES.start(),
        2 * Limits::KEY_SECRET_BYTES.end()
    )]
    InvalidSecretHex,
    /// The grace is too long.
    #[error("grace_ms: {0} is out of range: 0 to {max}", max = Limits::KEY_GRACE_MS_MAX)]
    InvalidGraceMs(u64),
    /// There is or was a key with that id and another secret, or one that no longer
    /// signs.
    #[error(
        "there is a key `{0}` already, with another secret or no longer active; choose another id"
    )]
    RotationConflict(String),
    /// Too many old keys are still accepted.
    #[error(
        "{} keys are accepted already; retire some of them, or rotate with a grace of 0",
        Limits::KEYS_MAX
    )]
    TooManyKeys,
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for KeyRotateRefusal {
    fn told(&self) -> Told {
        match self {
            Self::InvalidKid(_) => RefusalCode::InvalidKid.alone(),
            Self::InvalidSecretHex => RefusalCode::InvalidSecretHex.alone(),
            Self::InvalidGraceMs(_) => RefusalCode::InvalidGraceMs.alone(),
            Self::RotationConflict(_) => RefusalCode::RotationConflict.alone(),
            Self::TooManyKeys => RefusalCode::TooManyKeys.alone(),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}

/// Why a key was not retired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRetireRefusal {
    /// No such key.
    #[error("there is no waitpoint key `{}`", .0.escape_debug())]
    KeyNotFound(String),
    /// It signs new tokens.
    #[error("waitpoint key `{0}` signs new tokens; rotate to another first")]
    KeyActive(String),
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for KeyRetireRefusal {
    fn told(&self) -> Told {
        match self {
            Self::KeyNotFound(_) => RefusalCode::WaitpointKeyNotFound.alone(),
            Self::KeyActive(_) => RefusalCode::WaitpointKeyActive.alone(),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kid_fits_into_a_token() {
        for good in ["k1", "2026-01_A", &"k".repeat(32)] {
            assert_eq!(waitpoint_kid(good), Ok(()), "{good}");
        }
        for bad in ["", "a.b", "a:b", "../k", "k\0", "ä", " k", &"k".repeat(33)] {
            assert!(waitpoint_kid(bad).is_err(), "{bad}");
        }
    }
}
