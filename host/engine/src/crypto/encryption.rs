//! Encrypts secrets in the database under a key that is not in it, so that a reader of a
//! dump or a replica cannot sign as a host.
//!
//! AES-256-GCM with a random nonce for each secret. The purpose of a secret is
//! authenticated with it, so that the secret of one row cannot be copied into another. With
//! several keys the first encrypts and all decrypt, which is how they are changed: put the
//! new one first, have every secret encrypted again, remove the old one.

use std::sync::Arc;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};

use crate::random;

const KEY_BYTES: usize = 32;
/// Bytes of a key id, which tells keys apart and reveals nothing of them.
const ID_BYTES: usize = 8;

/// The keys that encrypt secrets. Cheap to clone; redacted in `Debug`.
#[derive(Clone)]
pub struct SecretsKeys(Arc<[(KeyId, LessSafeKey)]>);

/// Id of the key that encrypted a secret.
pub(crate) type KeyId = [u8; ID_BYTES];

/// A secret as it is stored.
pub(crate) struct Wrapped {
    /// Id of the key that encrypted it.
    pub(crate) under: KeyId,
    /// Nonce, ciphertext and tag.
    pub(crate) bytes: Vec<u8>,
}

/// Why secrets cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsFault {
    /// The host has no key.
    #[error(
        "this host has no key to encrypt secrets with, which waitpoint tokens need: set secrets.key_file or FLOWHOST_SECRETS_KEY to 64 hexadecimal digits, the same on every host (`openssl rand -hex 32` draws some)"
    )]
    KeyMissing,
    /// The host has no key with the id that the secret was encrypted under.
    #[error(
        "{what} was encrypted under another key than this host's: give every host the same secrets.key_file or FLOWHOST_SECRETS_KEY; while keys are changed, list the old one after the new one"
    )]
    KeyDiffers {
        /// The secret that cannot be read.
        what: String,
    },
    /// The key is the right one, and the secret does not decrypt.
    #[error("{what} is not as it was written")]
    Tampered {
        /// The secret that cannot be read.
        what: String,
    },
}

/// Why a text is not a list of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not a valid key: must be 64 hexadecimal digits")]
pub struct SecretsKeyError {
    /// Number of the line, from 1.
    pub line: usize,
}

impl SecretsKeys {
    /// Reads keys: 64 hexadecimal digits on each line. The first encrypts.
    ///
    /// # Errors
    /// The first line that is not a valid key; line 1 of a text without keys.
    pub fn parse(text: &str) -> Result<Self, SecretsKeyError> {
        let keys = text.trim_end().split('\n').enumerate().map(|(at, line)| {
            let mut key = [0; KEY_BYTES];
            hex::decode_to_slice(line.trim(), &mut key)
                .map_err(|_| SecretsKeyError { line: at + 1 })?;
            Ok(Self::with_id(&key))
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// Draws a key, in the form [`Self::parse`] reads.
    pub fn draw() -> String {
        hex::encode(random::bytes::<KEY_BYTES>())
    }

    fn with_id(key: &[u8; KEY_BYTES]) -> (KeyId, LessSafeKey) {
        let mut hash = Sha256::new();
        hash.update(b"flowhost secrets key\0");
        hash.update(key);
        let digest: [u8; 32] = hash.finalize().into();
        let (id, _) = digest
            .split_first_chunk()
            .expect("invariant: a digest has 32 bytes");
        let key = UnboundKey::new(&AES_256_GCM, key).expect("invariant: a key has 32 bytes");
        (*id, LessSafeKey::new(key))
    }

    /// Encrypts a secret for one purpose.
    pub(crate) fn wrap(&self, purpose: &str, secret: &[u8]) -> Wrapped {
        let (under, key) = &self.0[0];
        let nonce: [u8; NONCE_LEN] = random::bytes();
        let mut sealed = secret.to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(purpose.as_bytes()),
            &mut sealed,
        )
        .expect("invariant: a secret is far below the 64 GiB one call may encrypt");
        Wrapped {
            under: *under,
            bytes: [nonce.as_slice(), &sealed].concat(),
        }
    }

    /// Decrypts a secret that was encrypted for this purpose. `what` names it in
    /// the fault.
    pub(crate) fn unwrap(
        &self,
        purpose: &str,
        under: &[u8],
        bytes: &[u8],
        what: impl FnOnce() -> String,
    ) -> Result<Vec<u8>, SecretsFault> {
        let Some((_, key)) = self.0.iter().find(|(id, _)| id == under) else {
            return Err(SecretsFault::KeyDiffers { what: what() });
        };
        let opened = bytes.split_first_chunk().and_then(|(nonce, sealed)| {
            let mut sealed = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let secret = key
                .open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut sealed)
                .ok()?;
            Some(secret.to_vec())
        });
        opened.ok_or_else(|| SecretsFault::Tampered { what: what() })
    }
}

impl std::fmt::Debug for SecretsKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretsKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0000000000000000000000000000000000000000000000000000000000000001";
    const NEW: &str = "0000000000000000000000000000000000000000000000000000000000000002";

    fn keys(text: &str) -> SecretsKeys {
        SecretsKeys::parse(text).expect("keys")
    }

    fn unwrap(keys: &SecretsKeys, wrapped: &Wrapped) -> Result<Vec<u8>, SecretsFault> {
        keys.unwrap("p", &wrapped.under, &wrapped.bytes, || "it".into())
    }

    #[test]
    fn a_secret_decrypts_for_its_purpose_and_key_only() {
        let wrapped = keys(OLD).wrap("p", b"secret");
        assert_eq!(unwrap(&keys(OLD), &wrapped).as_deref(), Ok(&b"secret"[..]));
        let again = keys(OLD).wrap("p", b"secret");
        assert_ne!(wrapped.bytes, again.bytes, "each secret has its own nonce");
        let differs = unwrap(&keys(NEW), &wrapped);
        assert!(matches!(differs, Err(SecretsFault::KeyDiffers { .. })));
        let elsewhere = keys(OLD).unwrap("q", &wrapped.under, &wrapped.bytes, || "it".into());
        assert!(matches!(elsewhere, Err(SecretsFault::Tampered { .. })));
        for at in 0..wrapped.bytes.len() {
            let mut bytes = wrapped.bytes.clone();
            bytes[at] ^= 1;
            let wrapped = Wrapped { bytes, ..wrapped };
            assert!(unwrap(&keys(OLD), &wrapped).is_err(), "byte {at}");
            let cut = keys(OLD).unwrap("p", &wrapped.under, &wrapped.bytes[..at], || "it".into());
            assert!(cut.is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_first_key_encrypts_and_all_decrypt() {
        let old = keys(OLD).wrap("p", b"secret");
        let both = keys(&format!("{NEW}\n{OLD}\n"));
        assert!(unwrap(&both, &old).is_ok());
        let new = both.wrap("p", b"secret");
        assert!(unwrap(&keys(NEW), &new).is_ok());
        assert!(unwrap(&keys(OLD), &new).is_err());
    }

    #[test]
    fn the_error_names_the_line_of_an_invalid_key_and_not_its_text() {
        assert!(SecretsKeys::parse(&SecretsKeys::draw()).is_ok());
        for (text, line) in [
            ("", 1),
            ("\n", 1),
            (&OLD[1..], 1),
            (&format!("{OLD}\nx"), 2),
            (&format!("{OLD}\n\n{NEW}"), 2),
        ] {
            assert_eq!(
                SecretsKeys::parse(text).err(),
                Some(SecretsKeyError { line }),
                "{text}"
            );
        }
        assert_eq!(format!("{:?}", keys(OLD)), "SecretsKeys(..)");
    }
}
