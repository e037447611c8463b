//! The file of profiles: `flowhost/profiles.toml` below the user's configuration directory.
//!
//! It holds API keys, so it is the user's alone: it is created with mode 0600, and refused
//! when others can read it. It is replaced as a whole, so that a reader never sees half.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::io::{Exit, Failure};

/// Most bytes of the file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Permissions of anyone but the user.
const OF_OTHERS: u32 = 0o077;

/// All profiles of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    /// The one that is used when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Each by its name.
    #[serde(default)]
    pub profiles: BTreeMap<String, Profile>,
}

/// A host, and how to ask it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// URL of the host.
    pub url: String,
    /// Namespace of requests that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The API key, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Without the key.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("url", &self.url)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Profiles {
    /// Reads the file; there are none without one.
    pub fn read() -> Result<Self, Failure> {
        match path() {
            Some(path) => Self::read_at(&path),
            None => Ok(Self::default()),
        }
    }

    /// Writes the file.
    pub fn write(&self) -> Result<(), Failure> {
        let path = path().ok_or_else(|| {
            Failure::usage("neither HOME nor XDG_CONFIG_HOME is set: profiles have no place")
        })?;
        self.write_at(&path)
    }

    fn read_at(path: &Path) -> Result<Self, Failure> {
        // Opened once: what is checked is what is read.
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::file("read", path, &error)),
        };
        let failed = |error| Failure::file("read", path, &error);
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() || about.len() > FILE_BYTES_MAX {
            return Err(refused(path, "is not a file of profiles; move it away"));
        }
        if about.mode() & OF_OTHERS != 0 {
            let what = format!(
                "holds API keys and others can read or change it (mode {:03o}); take that right away with `chmod 600 {}`, and if others have used this machine, rotate the keys in it",
                about.mode() & 0o777,
                path.display()
            );
            return Err(refused(path, &what));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        // The parser's message quotes the line, which may have a key.
        toml::from_str(&text).map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].lines().count());
            refused(path, &format!("is not a file of profiles (near line {line}); move it away, and make the profiles again"))
        })
    }

    fn write_at(&self, path: &Path) -> Result<(), Failure> {
        let failed = |error| Failure::file("write", path, &error);
        let text =
            toml::to_string(self).map_err(|error| Failure::new(Exit::Fault, error.to_string()))?;
        if let Some(folder) = path.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(folder).map_err(failed)?;
        }
        let new = path.with_extension(format!("toml.{}", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&new, path));
        written.map_err(|error| {
            // It may not have been created.
            let _ = fs::remove_file(&new);
            failed(error)
        })
    }
}

fn refused(path: &Path, what: &str) -> Failure {
    Failure::usage(format!("{} {what}", path.display()))
}

/// Returns where the file is; `None` where there is no home.
pub fn path() -> Option<PathBuf> {
    let absolute = |name| {
        let given = std::env::var_os(name).map(PathBuf::from);
        given.filter(|path| path.is_absolute())
    };
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
    Some(config?.join("flowhost/profiles.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn profiles() -> Profiles {
        let profile = Profile {
            url: "https://h".into(),
            namespace: Some("a".into()),
            key: Some("fh_secret".into()),
        };
        Profiles {
            current: Some("prod".into()),
            profiles: [("prod".to_owned(), profile)].into(),
        }
    }

    #[test]
    fn profiles_are_read_as_they_were_written_by_their_user_alone() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("config/flowhost/profiles.toml");
        assert_eq!(Profiles::read_at(&path).expect("none"), Profiles::default());
        for _ in 0..2 {
            profiles().write_at(&path).expect("written");
            assert_eq!(Profiles::read_at(&path).expect("read"), profiles());
            let mode = fs::metadata(&path).expect("the file").mode() & 0o777;
            assert_eq!(mode, 0o600);
        }
        let left = fs::read_dir(path.parent().expect("a folder")).expect("listed");
        assert_eq!(left.count(), 1, "no other file is left");
        for open in [0o640, 0o604, 0o620, 0o602] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).expect("set");
            let refused = Profiles::read_at(&path).expect_err("others can read it");
            assert_eq!(refused.exit, Exit::Usage);
            assert!(refused.message.contains("chmod 600"), "{}", refused.message);
        }
    }

    #[test]
    fn a_broken_file_is_refused_without_its_keys() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("profiles.toml");
        profiles().write_at(&path).expect("written");
        for wrong in [
            "[profiles.a]\nkey = fh_secret",
            "keys = 'fh_secret'",
            "[profiles.a]\nkey = 'fh_secret'",
        ] {
            fs::write(&path, wrong).expect("written");
            let refused = Profiles::read_at(&path).expect_err(wrong);
            assert!(!refused.message.contains("secret"), "{}", refused.message);
        }
        let debugged = format!("{:?}", profiles());
        assert!(!debugged.contains("secret"), "{debugged}");
    }
}
