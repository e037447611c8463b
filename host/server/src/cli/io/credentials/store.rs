//! The file of tokens: `flowhost/tokens.json` below the user's configuration directory.
//!
//! Who changes it holds a lock beside it, so that two commands do not both use up a token
//! for renewal.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::private_file::{PrivateFile, Secrets};
use crate::cli::io::{Exit, Failure};

static TOKENS: Secrets = Secrets {
    name: "tokens.json",
    what: "tokens",
    of: "tokens",
    if_read: "log in again",
    bytes_max: 4 << 20,
};

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
        PrivateFile::of(&TOKENS).map_or_else(|| Ok(Self::default()), |file| Self::read_from(&file))
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
        let file = PrivateFile::to_write(&TOKENS)?;
        let lock = file.lock()?;
        let mut tokens = Self::read_from(&file)?;
        let before = tokens.hosts.remove(key(url));
        let mut now = before.clone();
        let changed = change(&mut now).await;
        if now != before {
            if let Some(token) = now {
                tokens.hosts.insert(key(url).to_owned(), token);
            }
            tokens.write_to(&file)?;
        }
        drop(lock);
        changed
    }

    fn read_from(file: &PrivateFile) -> Result<Self, Failure> {
        let Some(text) = file.read()? else {
            return Ok(Self::default());
        };
        // The parser's message may quote a token.
        serde_json::from_str(&text)
            .map_err(|_| file.refused("is not a file of tokens; move it away, and log in again"))
    }

    fn write_to(&self, file: &PrivateFile) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Failure::new(Exit::Fault, error.to_string()))?;
        file.write(&text)
    }
}

/// Two spellings of the URL of a host are one.
fn key(url: &str) -> &str {
    url.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn file(folder: &tempfile::TempDir) -> PrivateFile {
        PrivateFile::at(folder.path().join("tokens.json"), &TOKENS)
    }

    #[test]
    fn tokens_are_read_back_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = file(&folder);
        assert_eq!(
            Tokens::read_from(&file).expect("none yet"),
            Tokens::default()
        );
        let mut tokens = Tokens::default();
        tokens.hosts.insert("https://a".into(), token("t0ken"));
        tokens.write_to(&file).expect("written");
        let read = Tokens::read_from(&file).expect("read");
        assert_eq!(read, tokens);
        assert_eq!(
            read.of("https://a/").map(|it| it.token.as_str()),
            Some("t0ken")
        );
        assert_eq!(read.of("https://b"), None);
    }

    #[test]
    fn no_message_shows_a_token() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = file(&folder);
        file.write(br#"{"hosts":{"a":"t0ken"}}"#).expect("written");
        let refused = Tokens::read_from(&file).expect_err("not tokens");
        assert_eq!(refused.exit, Exit::Usage);
        assert!(!refused.message.contains("t0ken"), "{}", refused.message);
        let shown = format!("{:?}", token("t0ken"));
        assert!(
            !shown.contains("t0ken") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
}
