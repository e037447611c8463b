//! The file of tokens: `flowhost/tokens.json` below the user's configuration directory.
//!
//! It is the user's alone: it is created with mode 0600, refused when others can read it,
//! and replaced as a whole. Who changes it holds a lock beside it, so that two commands do
//! not both use up a token for renewal.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::io::{Exit, Failure};

/// Most bytes of the file.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Permissions of others than the user.
const OF_OTHERS: u32 = 0o077;

/// The tokens of a user, by the URL of the host they are for.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Each by the URL of its host.
    hosts: BTreeMap<String, StoredToken>,
}

/// A token, and how it is renewed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredToken {
    /// URL of the issuer, as the token names it.
    pub issuer: String,
    /// Id of the client that asked for it.
    pub client_id: String,
    /// What the token must name for the host to accept it.
    pub audience: String,
    /// The token itself, sent with each request.
    pub token: String,
    /// When it expires, in seconds since 1970.
    pub expires_at: u64,
    /// What is exchanged for the next one; without it people log in again.
    pub refresh_token: Option<String>,
}

/// Without the tokens.
impl fmt::Debug for StoredToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredToken")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// Reads the file; there are none without one.
    pub fn read() -> Result<Self, Failure> {
        place().map_or_else(|| Ok(Self::default()), |path| Self::read_at(&path))
    }

    /// Returns the token for a host.
    pub fn of(&self, url: &str) -> Option<&StoredToken> {
        self.hosts.get(key(url))
    }

    /// Changes the token for a host, or removes it, as no other command does at the time.
    /// `change` gets the one that is stored now.
    pub async fn change<T>(
        url: &str,
        change: impl AsyncFnOnce(&mut Option<StoredToken>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let path = place().ok_or_else(|| {
            Failure::usage("neither HOME nor XDG_CONFIG_HOME is set: tokens have no place")
        })?;
        let failed = |error| Failure::file("write", &path, &error);
        if let Some(folder) = path.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(folder).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(path.with_extension("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut tokens = Self::read_at(&path)?;
        let before = tokens.hosts.remove(key(url));
        let mut now = before.clone();
        let changed = change(&mut now).await;
        if now != before {
            if let Some(token) = now {
                tokens.hosts.insert(key(url).to_owned(), token);
            }
            tokens.write_at(&path)?;
        }
        drop(lock);
        changed
    }

    fn read_at(path: &Path) -> Result<Self, Failure> {
        // Opened once: what is checked is what is read.
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::file("read", path, &error)),
        };
        let failed = |error| Failure::file("read", path, &error);
        let refused = |what: &str| Failure::new(Exit::Denied, format!("{} {what}", path.display()));
        let about = file.metadata().map_err(failed)?;
        if about.len() > FILE_BYTES_MAX {
            return Err(refused("is not a file of tokens; move it away"));
        }
        if about.mode() & OF_OTHERS != 0 {
            let what = format!(
                "holds tokens and others can read or change it (mode {:03o}): chmod 600 it, and log in again if others have used this machine",
                about.mode() & 0o777
            );
            return Err(refused(&what));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        // The parser's message may quote a token.
        serde_json::from_str(&text)
            .map_err(|_| refused("is not a file of tokens; move it away, and log in again"))
    }

    fn write_at(&self, path: &Path) -> Result<(), Failure> {
        let failed = |error| Failure::file("write", path, &error);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Failure::new(Exit::Fault, error.to_string()))?;
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options.open(&draft).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        });
        let moved = written.and_then(|()| fs::rename(&draft, path));
        moved.map_err(|error| {
            let _ = fs::remove_file(&draft);
            failed(error)
        })
    }
}

/// Two spellings of the URL of a host are one.
fn key(url: &str) -> &str {
    url.trim_end_matches('/')
}

/// Returns where the file is.
fn place() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join("flowhost").join("tokens.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn token(text: &str) -> StoredToken {
        StoredToken {
            issuer: "https://issuer.example".into(),
            client_id: "cli".into(),
            audience: "flowhost".into(),
            token: text.into(),
            expires_at: 5,
            refresh_token: Some("s3cret".into()),
        }
    }

    #[test]
    fn tokens_are_written_for_the_user_alone_and_read_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("tokens.json");
        assert_eq!(Tokens::read_at(&path).expect("none yet"), Tokens::default());
        let mut tokens = Tokens::default();
        tokens.hosts.insert("https://a".into(), token("t0ken"));
        tokens.write_at(&path).expect("written");
        tokens.write_at(&path).expect("written again");
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = Tokens::read_at(&path).expect("read");
        assert_eq!(read, tokens);
        assert_eq!(
            read.of("https://a/").map(|it| it.token.as_str()),
            Some("t0ken")
        );
        assert_eq!(read.of("https://b"), None);
        assert_eq!(
            fs::read_dir(dir.path()).expect("a folder").count(),
            1,
            "no draft is left"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
        let refused = Tokens::read_at(&path).expect_err("others read it");
        assert!(refused.message.contains("chmod 600"), "{}", refused.message);
    }

    #[test]
    fn no_message_shows_a_token() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("tokens.json");
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = file.open(&path).expect("opened");
        file.write_all(br#"{"hosts":{"a":"t0ken"}}"#)
            .expect("written");
        let refused = Tokens::read_at(&path).expect_err("not tokens");
        assert!(!refused.message.contains("t0ken"), "{}", refused.message);
        let shown = format!("{:?}", token("t0ken"));
        assert!(
            !shown.contains("t0ken") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
}
