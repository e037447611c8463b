//! A file of a user with secrets in it.
//!
//! It is the user's alone: it is created with mode 0600, and refused when others can read or
//! change it, or when it is no regular file. It is replaced as a whole, so that a reader
//! never sees half.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::cli::io::Failure;

/// Permissions of others than the user.
const OF_OTHERS: u32 = 0o077;
/// Mode of the file.
const OF_USER: u32 = 0o600;

/// What a file of secrets holds, for messages.
#[derive(Debug)]
pub struct Secrets {
    /// Name of the file, below `flowhost` in the user's configuration directory.
    pub name: &'static str,
    /// What they are, such as `API keys`.
    pub what: &'static str,
    /// What the file is otherwise called, such as `profiles`.
    pub of: &'static str,
    /// What people do when others could read it, such as `rotate the keys in it`.
    pub if_read: &'static str,
    /// Most bytes of the file.
    pub bytes_max: u64,
}

/// A file of a user with secrets in it. It need not exist.
#[derive(Debug)]
pub struct PrivateFile {
    path: PathBuf,
    secrets: &'static Secrets,
}

impl PrivateFile {
    /// Returns the file of these secrets; `None` where there is no home.
    pub fn of(secrets: &'static Secrets) -> Option<Self> {
        let absolute = |name| {
            let given = std::env::var_os(name).map(PathBuf::from);
            given.filter(|path| path.is_absolute())
        };
        let config =
            absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
        Some(Self::at(
            config?.join("flowhost").join(secrets.name),
            secrets,
        ))
    }

    /// Returns the file to write.
    ///
    /// # Errors
    /// There is no home.
    pub fn to_write(secrets: &'static Secrets) -> Result<Self, Failure> {
        Self::of(secrets).ok_or_else(|| {
            let of = secrets.of;
            Failure::usage(format!(
                "neither HOME nor XDG_CONFIG_HOME is set: {of} have no place"
            ))
        })
    }

    /// Returns the file at a path.
    pub fn at(path: PathBuf, secrets: &'static Secrets) -> Self {
        Self { path, secrets }
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; `None` if there is none.
    ///
    /// # Errors
    /// It is no regular file, too large or not UTF-8; or others can read or change it.
    pub fn read(&self) -> Result<Option<String>, Failure> {
        let failed = |error| Failure::file("read", &self.path, &error);
        // Opened once: what is checked is what is read. A pipe is refused and not waited for.
        let mut options = OpenOptions::new();
        let opened = options.read(true).custom_flags(libc::O_NONBLOCK);
        let file = match opened.open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let about = file.metadata().map_err(failed)?;
        let Secrets {
            what,
            of,
            if_read,
            bytes_max,
            ..
        } = self.secrets;
        if !about.is_file() || about.len() > *bytes_max {
            return Err(self.refused(&format!("is not a file of {of}; move it away")));
        }
        if about.mode() & OF_OTHERS != 0 {
            return Err(self.refused(&format!(
                "holds {what} and others can read or change it (mode {:03o}); take that right away with `chmod 600 {}`, and if others have used this machine, {if_read}",
                about.mode() & 0o777,
                self.path.display()
            )));
        }
        let mut text = String::new();
        file.take(*bytes_max)
            .read_to_string(&mut text)
            .map_err(failed)?;
        Ok(Some(text))
    }

    /// Replaces it, and makes the folder it is in.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.make_folder()?;
        let draft = self.beside(&format!("{}.new", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(OF_USER)
            .open(&draft)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&draft, &self.path));
        written.map_err(|error| {
            // It may not have been created.
            let _ = fs::remove_file(&draft);
            Failure::file("write", &self.path, &error)
        })
    }

    /// Waits until no other command holds the lock beside it, and takes it until what is
    /// returned is dropped.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn lock(&self) -> Result<File, Failure> {
        self.make_folder()?;
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(OF_USER);
        let lock = options.open(self.beside("lock")).and_then(|lock| {
            lock.lock()?;
            Ok(lock)
        });
        lock.map_err(|error| Failure::file("write", &self.path, &error))
    }

    /// Builds the failure of a file that is not as it should be.
    pub fn refused(&self, what: &str) -> Failure {
        Failure::usage(format!("{} {what}", self.path.display()))
    }

    fn beside(&self, ending: &str) -> PathBuf {
        self.path.with_extension(ending)
    }

    fn make_folder(&self) -> Result<(), Failure> {
        let Some(folder) = self.path.parent() else {
            return Ok(());
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        let made = builder.create(folder);
        made.map_err(|error| Failure::file("write", &self.path, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::io::Exit;
    use std::os::unix::fs::PermissionsExt as _;

    static SECRETS: Secrets = Secrets {
        name: "secrets.txt",
        what: "secrets",
        of: "secrets",
        if_read: "change them",
        bytes_max: 16,
    };

    fn file(folder: &tempfile::TempDir) -> PrivateFile {
        PrivateFile::at(folder.path().join("config/secrets.txt"), &SECRETS)
    }

    #[test]
    fn a_file_is_read_as_it_was_written_by_its_user_alone() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = file(&folder);
        assert_eq!(file.read().expect("none"), None);
        for text in ["a", "b"] {
            file.write(text.as_bytes()).expect("written");
            assert_eq!(file.read().expect("read").as_deref(), Some(text));
            let mode = fs::metadata(file.path()).expect("the file").mode() & 0o777;
            assert_eq!(mode, OF_USER);
        }
        let listed = fs::read_dir(file.path().parent().expect("a folder")).expect("listed");
        assert_eq!(listed.count(), 1, "no draft is left");
        for open in [0o640, 0o604, 0o620, 0o602] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(open)).expect("set");
            let refused = file.read().expect_err("others can read or change it");
            assert_eq!(refused.exit, Exit::Usage);
            assert!(refused.message.contains("chmod 600"), "{}", refused.message);
            assert!(
                refused.message.contains("change them"),
                "{}",
                refused.message
            );
        }
    }

    #[test]
    fn what_is_no_regular_file_or_too_large_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = file(&folder);
        let refuses = || {
            let refused = file.read().expect_err("refused");
            assert_eq!(refused.exit, Exit::Usage, "{}", refused.message);
            let what = "is not a file of secrets";
            assert!(refused.message.contains(what), "{}", refused.message);
        };
        file.write(&[b'a'; 16]).expect("written");
        file.read().expect("as large as it may be");
        file.write(&[b'a'; 17]).expect("written");
        refuses();
        fs::remove_file(file.path()).expect("removed");
        fs::create_dir(file.path()).expect("a folder in its place");
        refuses();
        fs::remove_dir(file.path()).expect("removed");
        let made = std::process::Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(file.path())
            .status();
        assert!(made.expect("started").success());
        refuses();
    }
}
