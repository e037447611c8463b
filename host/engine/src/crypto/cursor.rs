//! Seals the places in cursors of callers that may not see all there is: a place may be that
//! of a row which was looked at and is not theirs.
//!
//! AES-256-GCM with a random nonce, under a key that every host of the instance shares. A
//! sealed place is hexadecimal digits.

use std::sync::Arc;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::{Engine, Error, random};

/// What seals places. Cheap to clone.
#[derive(Clone)]
pub struct CursorSeal(Arc<LessSafeKey>);

impl Engine {
    /// Returns what seals the places of this instance's cursors.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the key cannot be read.
    pub async fn cursor_seal(&self) -> Result<CursorSeal, Error> {
        let seal = self.inner.cursor_seal.get_or_try_init(async || {
            let key = self.shared_key("cursors").await?;
            Ok::<_, Error>(CursorSeal::new(&key))
        });
        Ok(seal.await?.clone())
    }
}

impl CursorSeal {
    fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("invariant: a key has 32 bytes");
        Self(Arc::new(LessSafeKey::new(key)))
    }

    /// Seals a place.
    pub fn seal(&self, place: &str) -> String {
        let nonce: [u8; NONCE_LEN] = random::bytes();
        let mut sealed = place.as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut sealed,
            )
            .expect("invariant: a place is far below the 64 GiB one call may encrypt");
        hex::encode([&nonce[..], &sealed].concat())
    }

    /// Opens a sealed place; `None` if it was not sealed here.
    pub fn open(&self, sealed: &str) -> Option<String> {
        let bytes = hex::decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let place = self
            .0
            .open_in_place(nonce, Aad::empty(), &mut sealed)
            .ok()?;
        String::from_utf8(place.to_vec()).ok()
    }
}

impl std::fmt::Debug for CursorSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CursorSeal(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_place_shows_nothing_and_is_opened_under_its_key_only() {
        let seal = CursorSeal::new(&[7; 32]);
        let sealed = seal.seal("1700000000000001.x");
        assert!(!sealed.contains(&hex::encode("1700")), "{sealed}");
        assert_eq!(seal.open(&sealed).as_deref(), Some("1700000000000001.x"));
        assert_eq!(CursorSeal::new(&[8; 32]).open(&sealed), None);
        for wrong in ["", "x", &sealed[2..], &sealed[..sealed.len() - 2]] {
            assert_eq!(seal.open(wrong), None, "{wrong}");
        }
    }
}
