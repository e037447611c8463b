//! The server's log file: opened for its standard error, rotated between runs,
//! and quoted when something goes wrong.

use crate::error::{Error, doing};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A log longer than this is renamed when the server starts.
const ROTATE_BYTES: u64 = 16 << 20;

/// How much of the end is read to quote from, and how many lines are quoted.
const TAIL_BYTES: u64 = 16 << 10;
const TAIL_LINES: usize = 20;

/// The log file of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub path: PathBuf,
}

impl Log {
    /// Opens the log for appending; a log that is too long is renamed to
    /// `postgres.log.1` first. Returns it with its length, where the lines of the new
    /// run begin.
    pub fn open(&self) -> Result<(File, u64), Error> {
        let length = fs::metadata(&self.path).map_or(0, |meta| meta.len());
        if length > ROTATE_BYTES {
            let aside = self.path.with_extension("log.1");
            fs::rename(&self.path, &aside).map_err(doing("rename", &self.path))?;
        }
        let file = File::options()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(doing("open", &self.path))?;
        let length = file.metadata().map_err(doing("inspect", &self.path))?.len();
        Ok((file, length))
    }

    /// The last lines written since `from`; empty when the log cannot be read.
    pub fn tail(&self, from: u64) -> String {
        read_tail(&self.path, from).unwrap_or_default()
    }
}

fn read_tail(path: &Path, from: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(
        from.max(length.saturating_sub(TAIL_BYTES)).min(length),
    ))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_too_long_is_renamed() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = Log {
            path: dir.path().join("postgres.log"),
        };
        log.open()
            .expect("made")
            .0
            .set_len(ROTATE_BYTES + 1)
            .expect("grown");
        assert_eq!(log.open().expect("rotated").1, 0);
        assert!(dir.path().join("postgres.log.1").exists());
        assert_eq!(log.open().expect("kept").1, 0);
    }

    #[test]
    fn the_tail_is_of_this_run_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = Log {
            path: dir.path().join("postgres.log"),
        };
        fs::write(&log.path, "old\nnew 1\nnew 2\n").expect("write");
        assert_eq!(log.tail(4), "new 1\nnew 2");
        assert_eq!(log.tail(1000), "", "a rotated log is shorter than its mark");
        fs::write(&log.path, "line\n".repeat(100)).expect("write");
        assert_eq!(log.tail(0).lines().count(), TAIL_LINES);
    }
}
