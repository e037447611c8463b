//! Compiled code kept on disk, authenticated with a key of this host.
//!
//! Compiled code is native code: whoever can make the host load a file of
//! their own owns the host. So each file ends with an HMAC-SHA-256 over digest,
//! compatibility and code, and only bytes that were checked are loaded. A file
//! that is not as it was written is dropped, and the component compiled again.
//!
//! ```text
//! <dir>/key                                   32 random bytes, mode 0600
//! <dir>/compiled/<digest>-<compatibility>.cwasm   code, then 32 bytes of MAC
//! ```

use std::fs::{File, OpenOptions};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use model::Digest;
use sha2::{Digest as _, Sha256};

const MAC_BYTES: usize = 32;
const KEY_BYTES: usize = 32;

/// The compiled code this host made.
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
    compatibility: String,
}

impl Cache {
    /// Opens the cache for code that `engine` can run, making directory and
    /// key if they are missing.
    pub(crate) fn open(dir: &Path, engine: &wasmtime::Engine) -> io::Result<Self> {
        let compiled = dir.join("compiled");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&compiled)?;
        for dir in [dir, &compiled] {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
        }
        Ok(Self {
            key: key(&dir.join("key"))?,
            compatibility: compatibility(engine),
            dir: compiled,
        })
    }

    /// Returns the code of a component, if it is there and as it was written.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let mut bytes = std::fs::read(&path).ok()?;
        let code_bytes = bytes.len().checked_sub(MAC_BYTES);
        let intact = code_bytes.is_some_and(|end| {
            let (code, mac) = bytes.split_at(end);
            self.mac(digest, code).verify_slice(mac).is_ok()
        });
        if let (true, Some(end)) = (intact, code_bytes) {
            bytes.truncate(end);
            return Some(bytes);
        }
        tracing::warn!(path = %path.display(), "compiled code is not as it was written; it is compiled again");
        self.remove(digest);
        None
    }

    /// Keeps the code of a component.
    pub(crate) fn put(&self, digest: &Digest, code: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        // Another process may write the same file: each writes its own and
        // the last one to be renamed stays, whole.
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let mac = self.mac(digest, code).finalize().into_bytes();
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(code)?;
        file.write_all(&mac)?;
        drop(file);
        std::fs::rename(&draft, &path)
    }

    /// Drops the code of a component.
    pub(crate) fn remove(&self, digest: &Digest) {
        // What is left behind is refused the next time as well.
        let _ = std::fs::remove_file(self.path(digest));
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let digest = hex::encode(digest.0);
        self.dir
            .join(format!("{digest}-{}.cwasm", self.compatibility))
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
fn key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
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
                return self::key(path);
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

    fn cache() -> (tempfile::TempDir, Cache) {
        let dir = tempfile::tempdir().unwrap();
        let engine = wasmtime::Engine::new(&crate::engine_config::config()).unwrap();
        let cache = Cache::open(&dir.path().join("cache"), &engine).unwrap();
        (dir, cache)
    }

    #[test]
    fn code_reads_back_and_only_under_its_digest() {
        let (_dir, cache) = cache();
        let (one, two) = (Digest([1; 32]), Digest([2; 32]));
        cache.put(&one, b"code").unwrap();
        assert_eq!(cache.get(&one).as_deref(), Some(&b"code"[..]));
        assert_eq!(cache.get(&two), None);
        std::fs::rename(cache.path(&one), cache.path(&two)).unwrap();
        assert_eq!(
            cache.get(&two),
            None,
            "a file under another name is no code of that name"
        );
    }

    #[test]
    fn a_changed_or_cut_file_is_dropped() {
        let (_dir, cache) = cache();
        let digest = Digest([1; 32]);
        for spoil in [
            (|bytes: &mut Vec<u8>| bytes[0] ^= 1) as fn(&mut Vec<u8>),
            |bytes| bytes.truncate(10),
            |bytes| bytes.push(0),
            Vec::clear,
        ] {
            cache.put(&digest, b"some code").unwrap();
            let path = cache.path(&digest);
            let mut bytes = std::fs::read(&path).unwrap();
            spoil(&mut bytes);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(cache.get(&digest), None);
            assert!(!path.exists());
        }
    }

    #[test]
    fn code_of_another_host_is_not_loaded() {
        let ((_a, one), (_b, two)) = (cache(), cache());
        let digest = Digest([1; 32]);
        one.put(&digest, b"code").unwrap();
        std::fs::copy(one.path(&digest), two.path(&digest)).unwrap();
        assert_eq!(two.get(&digest), None);
    }

    #[test]
    fn nobody_else_can_read_the_key() {
        let (dir, cache) = cache();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.path().join("cache")), 0o700);
        assert_eq!(mode(&dir.path().join("cache/key")), 0o600);
        let again = key(&dir.path().join("cache/key")).unwrap();
        assert_eq!(again, cache.key);
    }
}
