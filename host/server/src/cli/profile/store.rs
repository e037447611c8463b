//! The file of profiles: `flowhost/profiles.toml` below the user's configuration directory.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cli::io::{Exit, Failure, PrivateFile, Secrets};

static PROFILES: Secrets = Secrets {
    name: "profiles.toml",
    what: "API keys",
    of: "profiles",
    if_read: "rotate the keys in it",
    bytes_max: 1 << 20,
};

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
        match PrivateFile::of(&PROFILES) {
            Some(file) => Self::read_from(&file),
            None => Ok(Self::default()),
        }
    }

    /// Writes the file.
    pub fn write(&self) -> Result<(), Failure> {
        self.write_to(&PrivateFile::to_write(&PROFILES)?)
    }

    fn read_from(file: &PrivateFile) -> Result<Self, Failure> {
        let Some(text) = file.read()? else {
            return Ok(Self::default());
        };
        // The parser's message quotes the line, which may have a key.
        toml::from_str(&text).map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].lines().count());
            file.refused(&format!("is not a file of profiles (near line {line}); move it away, and make the profiles again"))
        })
    }

    fn write_to(&self, file: &PrivateFile) -> Result<(), Failure> {
        let text =
            toml::to_string(self).map_err(|error| Failure::new(Exit::Fault, error.to_string()))?;
        file.write(text.as_bytes())
    }
}

/// Returns where the file is; `None` where there is no home.
pub fn path() -> Option<PathBuf> {
    Some(PrivateFile::of(&PROFILES)?.path().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn profiles_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = PrivateFile::at(folder.path().join("profiles.toml"), &PROFILES);
        let read = || Profiles::read_from(&file).expect("read");
        assert_eq!(read(), Profiles::default());
        profiles().write_to(&file).expect("written");
        assert_eq!(read(), profiles());
    }

    #[test]
    fn a_broken_file_is_refused_without_its_keys() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = PrivateFile::at(folder.path().join("profiles.toml"), &PROFILES);
        for wrong in [
            "[profiles.a]\nkey = fh_secret",
            "keys = 'fh_secret'",
            "[profiles.a]\nkey = 'fh_secret'",
        ] {
            file.write(wrong.as_bytes()).expect("written");
            let refused = Profiles::read_from(&file).expect_err(wrong);
            assert!(!refused.message.contains("secret"), "{}", refused.message);
        }
        let debugged = format!("{:?}", profiles());
        assert!(!debugged.contains("secret"), "{debugged}");
    }
}
