//! Compiled code file on disk, authenticated with a key of this host.
//!
//! Compiled code is native code: a person who can make the host load a file of their own
//! owns the host. So each file ends with a MAC ([`CodeMac`]), and only bytes that were
//! checked are loaded. A file that was changed is removed, and the component compiled
//! again.
//!
//! The files together stay within a budget of bytes. To stay within it, those that this
//! build cannot run are removed first, then those used least recently; a file's time of
//! modification is that of its last use.
//!
//! ```text
//! <dir>/key                                   32 random bytes, mode 0600
//! <dir>/compiled/<digest>-<compatibility>.cwasm   code, then 32 bytes of MAC
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use model::Digest;

use super::code_mac::{CodeMac, MAC_BYTES};

/// Age at which a draft belongs to a process that ended while it wrote.
const DRAFT_ABANDONED: Duration = Duration::from_secs(600);
/// Time without use after which code that this build cannot run is removed: another
/// build that shares the directory, as during an update, would use it.
const FOREIGN_STALE: Duration = Duration::from_secs(24 * 3600);

/// The compiled code of this host on disk.
pub(crate) struct DiskCache {
    dir: PathBuf,
    mac: CodeMac,
    bytes_max: u64,
    /// Bytes of all files together when they were last listed.
    bytes: AtomicU64,
}

/// A file of the cache.
struct CachedFile {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
    /// Whether this build can run it.
    is_ours: bool,
}

impl DiskCache {
    /// Opens the cache for code that `engine` can run, making directory and
    /// key if they are missing; tidies it up and keeps it within `bytes_max`.
    pub(crate) fn open(dir: &Path, engine: &wasmtime::Engine, bytes_max: u64) -> io::Result<Self> {
        let compiled = dir.join("compiled");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&compiled)?;
        for dir in [dir, &compiled] {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
        }
        let cache = Self {
            mac: CodeMac::open(&dir.join("key"), engine)?,
            dir: compiled,
            bytes_max,
            bytes: AtomicU64::new(0),
        };
        cache.tidy(file_time())?;
        cache.shrink_for(0)?;
        Ok(cache)
    }

    /// Returns the bytes of all files together.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns the size of a component's code, if it is there.
    pub(crate) fn size(&self, digest: &Digest) -> Option<u64> {
        let file = std::fs::metadata(self.path(digest)).ok()?;
        file.len().checked_sub(MAC_BYTES as u64)
    }

    /// Returns the code of a component, if it is there and as it was written.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let mut file = File::open(&path).ok()?;
        // A file this large was never written here.
        if file.metadata().ok()?.len() > self.bytes_max.saturating_add(MAC_BYTES as u64) {
            self.remove(digest);
            return None;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let code_bytes = bytes.len().checked_sub(MAC_BYTES);
        if let Some(end) = code_bytes
            && self.mac.verifies(digest, &bytes[..end], &bytes[end..])
        {
            // Only the order in which files are removed depends on it.
            let _ = file.set_modified(file_time());
            bytes.truncate(end);
            return Some(bytes);
        }
        tracing::warn!(path = %path.display(), "compiled code is not as it was written; it is compiled again");
        self.remove(digest);
        None
    }

    /// Writes the code of a component, removing others so that it fits.
    pub(crate) fn put(&self, digest: &Digest, code: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        let wanted = (code.len() + MAC_BYTES) as u64;
        if wanted > self.bytes_max {
            return Err(io::Error::other(format!(
                "it has {wanted} bytes; the cache may have {} (runtime.cache_bytes_max)",
                self.bytes_max
            )));
        }
        self.shrink_for(wanted)?;
        // Another process may write the same file: each writes its own and
        // the last one to be renamed stays, whole.
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let mac = self.mac.compute(digest, code);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        let written = file
            .write_all(code)
            .and_then(|()| file.write_all(&mac))
            .and_then(|()| std::fs::rename(&draft, &path));
        if written.is_err() {
            // A full disk is not made emptier by half a file.
            let _ = std::fs::remove_file(&draft);
        }
        written?;
        self.bytes.fetch_add(wanted, Ordering::Relaxed);
        Ok(())
    }

    /// Removes the code of a component.
    pub(crate) fn remove(&self, digest: &Digest) {
        // A file that cannot be removed fails the check again the next time.
        let _ = remove(&self.path(digest));
    }

    /// Removes what no process will use: drafts of processes that ended while they
    /// wrote, and code this build cannot run that was not used for long.
    fn tidy(&self, now: SystemTime) -> io::Result<()> {
        for file in self.files()? {
            let age = now.duration_since(file.used).unwrap_or_default();
            let is_draft = file.path.extension().is_some_and(|it| it == "new");
            let stale = if is_draft {
                age >= DRAFT_ABANDONED
            } else {
                !file.is_ours && age >= FOREIGN_STALE
            };
            if stale {
                remove(&file.path)?;
            }
        }
        Ok(())
    }

    /// Removes files until `wanted` more bytes stay within the budget.
    fn shrink_for(&self, wanted: u64) -> io::Result<()> {
        let mut files = self.files()?;
        let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
        files.sort_unstable_by_key(|file| (file.is_ours, file.used));
        for file in files {
            if bytes.saturating_add(wanted) <= self.bytes_max {
                break;
            }
            remove(&file.path)?;
            bytes -= file.bytes;
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Lists the files of the cache.
    fn files(&self) -> io::Result<Vec<CachedFile>> {
        let ours = format!("-{}.cwasm", self.mac.compatibility());
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            // Another process may have removed it since.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_file() {
                files.push(CachedFile {
                    is_ours: entry.file_name().to_string_lossy().ends_with(&ours),
                    path: entry.path(),
                    bytes: metadata.len(),
                    used: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                });
            }
        }
        Ok(files)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let digest = hex::encode(digest.0);
        self.dir
            .join(format!("{digest}-{}.cwasm", self.mac.compatibility()))
    }
}

/// Returns the time files are stamped with.
#[expect(
    clippy::disallowed_methods,
    reason = "times of files are of this machine's clock, and only the order in which files are removed depends on them"
)]
fn file_time() -> SystemTime {
    SystemTime::now()
}

/// Removes a file that another process may have removed already.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &tempfile::TempDir, bytes_max: u64) -> DiskCache {
        let engine = wasmtime::Engine::new(&crate::component::wasm::config()).unwrap();
        DiskCache::open(&dir.path().join("cache"), &engine, bytes_max).unwrap()
    }

    fn cache() -> (tempfile::TempDir, DiskCache) {
        let dir = tempfile::tempdir().unwrap();
        let cache = open(&dir, 1 << 20);
        (dir, cache)
    }

    /// Makes a file look as if it was used `ago` seconds ago.
    fn used(path: &Path, ago: u64) {
        let at = file_time() - Duration::from_secs(ago);
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(at).unwrap();
    }

    #[test]
    fn the_files_stay_within_the_budget_by_removing_the_least_recently_used() {
        let (dir, _) = cache();
        let cache = open(&dir, 3 * (100 + 32));
        let code = [7; 100];
        for n in 1..=3 {
            cache.put(&Digest([n; 32]), &code).unwrap();
            used(&cache.path(&Digest([n; 32])), 100 - u64::from(n));
        }
        assert_eq!(cache.bytes(), 3 * 132);
        assert!(cache.get(&Digest([1; 32])).is_some(), "used just now");
        cache.put(&Digest([4; 32]), &code).unwrap();
        let left: Vec<u8> = (1..=4)
            .filter(|n| cache.size(&Digest([*n; 32])).is_some())
            .collect();
        assert_eq!(left, [1, 3, 4]);
        assert_eq!(cache.bytes(), 3 * 132);
        let too_large = cache.put(&Digest([5; 32]), &[0; 400]).unwrap_err();
        assert!(too_large.to_string().contains("runtime.cache_bytes_max"));
        // A smaller budget holds from the next start.
        assert_eq!(open(&dir, 150).bytes(), 132);
    }

    #[test]
    fn drafts_and_code_of_other_builds_do_not_stay_for_ever() {
        let (dir, cache) = cache();
        let digest = Digest([1; 32]);
        cache.put(&digest, b"code").unwrap();
        let compiled = dir.path().join("cache/compiled");
        let draft = compiled.join("aa-bb.123.new");
        let busy = compiled.join("cc-dd.124.new");
        let old = compiled.join("aa-0000000000000000.cwasm");
        let recent = compiled.join("bb-0000000000000000.cwasm");
        for path in [&draft, &busy, &old, &recent] {
            std::fs::write(path, b"x").unwrap();
        }
        used(&draft, 3600);
        used(&old, 2 * 24 * 3600);
        let cache = open(&dir, 1 << 20);
        assert!(!draft.exists() && !old.exists());
        assert!(busy.exists() && recent.exists());
        // Code that this build cannot run is removed first.
        let cache_bytes = cache.bytes();
        let cache = open(&dir, cache_bytes - 1);
        assert!(!recent.exists() || !busy.exists());
        assert!(cache.get(&digest).is_some());
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
            "a file under another name is not code of that name"
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
    fn only_this_user_can_read_the_directory() {
        let (dir, _cache) = cache();
        let metadata = std::fs::metadata(dir.path().join("cache")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
    }
}
