//! Authenticates compiled code on disk with a key of this host: an HMAC-SHA-256 over the
//! digest of the component, what the code is compatible with, and the code.

use std::fs::{File, OpenOptions};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use model::Digest;
use sha2::{Digest as _, Sha256};

pub(super) const MAC_BYTES: usize = 32;
const KEY_BYTES: usize = 32;

/// The key of this host, and what its compiled code is compatible with.
pub(super) struct CodeMac {
    key: [u8; KEY_BYTES],
    compatibility: String,
}

impl CodeMac {
    /// Reads the key at `path`, or makes one, for code that `engine` can run.
    pub(super) fn open(path: &Path, engine: &wasmtime::Engine) -> io::Result<Self> {
        Ok(Self {
            key: read_or_make_key(path)?,
            compatibility: compatibility(engine),
        })
    }

    /// Names what compiled code depends on, in 16 hexadecimal digits.
    pub(super) fn compatibility(&self) -> &str {
        &self.compatibility
    }

    /// Returns the MAC of the code of a component.
    pub(super) fn compute(&self, digest: &Digest, code: &[u8]) -> [u8; MAC_BYTES] {
        self.mac(digest, code).finalize().into_bytes().into()
    }

    /// Whether `mac` is that of the code of a component.
    pub(super) fn verifies(&self, digest: &Digest, code: &[u8], mac: &[u8]) -> bool {
        self.mac(digest, code).verify_slice(mac).is_ok()
    }

    fn mac(&self, digest: &Digest, code: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .expect("invariant: HMAC takes keys of any length");
        mac.update(&digest.0);
        mac.update(self.compatibility.as_bytes());
        mac.update(code);
        mac
    }
}

/// Reads the key of this host, or makes one.
fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(mut file) => {
            File::open("/dev/urandom")?.read_exact(&mut key)?;
            file.write_all(&key)?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let read = File::open(path)?.read_exact(&mut key);
            // Cut short by a crash, or being written by another process right
            // now: without a whole key nothing in the cache counts.
            if read.is_err() {
                std::fs::remove_file(path)?;
                return read_or_make_key(path);
            }
        }
        Err(error) => return Err(error),
    }
    Ok(key)
}

/// Names what compiled code depends on: the version and settings of wasmtime
/// and the processor.
fn compatibility(engine: &wasmtime::Engine) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut sha = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut sha);
    let full: [u8; 32] = sha.0.finalize().into();
    hex::encode(&full[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn only_this_user_can_read_the_key_and_it_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let made = read_or_make_key(&path).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(read_or_make_key(&path).unwrap(), made);
    }
}
