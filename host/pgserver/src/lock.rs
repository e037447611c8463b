//! The lock on a data root: at most one host per directory.
//!
//! Postgres has such a lock itself, but it answers late and with a message
//! about its own files; and the sweep for leftover processes may only run
//! where no other user can own them. The kernel drops the lock when the holder
//! dies, however it dies.

use crate::error::{Error, doing};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::Path;

/// An exclusive hold on a data root, ended by dropping it.
#[derive(Debug)]
pub(crate) struct HostLock {
    file: File,
}

impl HostLock {
    /// Takes the lock and writes the pid of this process into `host.lock`.
    ///
    /// # Errors
    /// [`Error::AlreadyRunning`] when another host has it.
    pub fn take(data_dir: &Path) -> Result<Self, Error> {
        let path = data_dir.join("host.lock");
        // Not truncated: until the lock is ours the content is the holder's.
        // The standard library opens files close-on-exec, so that the server
        // does not inherit the lock and outlive the host with it.
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(doing("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = fs::read_to_string(&path).unwrap_or_default();
                return Err(Error::AlreadyRunning {
                    data_dir: data_dir.to_owned(),
                    pid: text.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(doing("lock", &path)(error)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(doing("write", &path))?;
        Ok(Self { file })
    }
}

impl Drop for HostLock {
    fn drop(&mut self) {
        // Unlocking, unlike closing, also releases a copy which a process
        // forked elsewhere in the host holds until its exec.
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the data directory could not be unlocked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_learns_who_the_first_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = HostLock::take(dir.path()).expect("free");
        let refused = HostLock::take(dir.path()).expect_err("held");
        assert!(
            matches!(&refused, Error::AlreadyRunning { pid: Some(pid), .. } if *pid == std::process::id()),
            "{refused}"
        );
        drop(first);
        HostLock::take(dir.path()).expect("free again");
    }
}
