//! Section `[secrets]`: what encrypts secrets in the database, and the first waitpoint key.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use engine::SecretsKeys;
use model::{Invalid, Limits};
use serde::{Deserialize, Serialize, Serializer};

/// What encrypts secrets in the database; the same on every host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// 64 hexadecimal digits; several keys are separated by commas, of which the
    /// first encrypts and all decrypt. Better in the environment, as
    /// `FLOWHOST_SECRETS_KEY`, than in a file that others read.
    pub key: Option<Redacted>,
    /// A file with such keys, one on each line. When both are absent, a host that runs
    /// its own Postgres keeps a key beside that, and a host on another Postgres has none.
    pub key_file: Option<PathBuf>,
    /// The first waitpoint key, as its id, a colon and its secret in 64 to 128
    /// hexadecimal digits. A host creates it at its start if no key signs yet. When
    /// absent, the first token creates a random one. Better in the environment, as
    /// `FLOWHOST_SECRETS_WAITPOINT_KEY`.
    pub waitpoint_key: Option<Redacted>,
}

/// A text that is redacted wherever it is printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Redacted(String);

impl Serialize for Redacted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl std::fmt::Debug for Redacted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Name of the file a host keeps beside its own Postgres.
const FILE: &str = "secrets.key";

impl Secrets {
    /// Returns the keys of a host; `None` if it has none. `own` is the data directory of
    /// the host's own Postgres; a key is written beside it the first time.
    ///
    /// # Errors
    /// The setting that is wrong, and why.
    pub fn keys(&self, own: Option<&Path>) -> Result<Option<SecretsKeys>, Invalid> {
        const KEY_FILE: &str = "secrets.key_file";
        let from_file = |path: &Path| {
            let wrong = |why: String| Invalid::new(KEY_FILE, format!("{}: {why}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
            let keys = SecretsKeys::parse(&text).map_err(|error| wrong(error.to_string()))?;
            Ok(Some(keys))
        };
        match (&self.key, &self.key_file, own) {
            (Some(_), Some(_), _) => Err(Invalid::new(
                KEY_FILE,
                "secrets.key is set too; set one of them",
            )),
            (Some(Redacted(text)), None, _) => SecretsKeys::parse(&text.replace(',', "\n"))
                .map(Some)
                .map_err(|error| Invalid::new("secrets.key", error.to_string())),
            (None, Some(path), _) => from_file(path),
            (None, None, None) => Ok(None),
            (None, None, Some(own)) => {
                let path = own.join(FILE);
                if !path.exists() {
                    make(&path).map_err(|error| {
                        Invalid::new(KEY_FILE, format!("{}: {error}", path.display()))
                    })?;
                }
                from_file(&path)
            }
        }
    }
}

impl Secrets {
    /// Returns id and secret of the first waitpoint key; `None` if none is configured.
    ///
    /// # Errors
    /// The setting is not an id and a secret; neither is quoted.
    pub fn waitpoint_key(&self) -> Result<Option<(&str, &str)>, Invalid> {
        const KEY: &str = "secrets.waitpoint_key";
        let Some(Redacted(text)) = &self.waitpoint_key else {
            return Ok(None);
        };
        let Some((kid, secret_hex)) = text.split_once(':') else {
            let detail = "must be an id, a colon and a secret in hexadecimal digits";
            return Err(Invalid::new(KEY, detail));
        };
        model::waitpoint_kid(kid)
            .map_err(|invalid| Invalid::new(KEY, format!("the id {}", invalid.detail)))?;
        let bounds = Limits::KEY_SECRET_BYTES;
        let digits = secret_hex.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !digits || secret_hex.len() % 2 != 0 || !bounds.contains(&(secret_hex.len() / 2)) {
            let (min, max) = (2 * bounds.start(), 2 * bounds.end());
            let detail =
                format!("the secret must be {min} to {max} hexadecimal digits, an even number");
            return Err(Invalid::new(KEY, detail));
        }
        Ok(Some((kid, secret_hex)))
    }
}

/// Writes a file with a new key: whole or not at all, and for no other user to read.
fn make(path: &Path) -> std::io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    writeln!(file, "{}", SecretsKeys::draw())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    // Without the directory on disk the name could be lost, and every secret
    // with it.
    match path.parent() {
        Some(dir) => std::fs::File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn with(key: Option<&str>, key_file: Option<PathBuf>) -> Secrets {
        Secrets {
            key: key.map(|key| Redacted(key.to_owned())),
            key_file,
            waitpoint_key: None,
        }
    }

    #[test]
    fn a_host_with_its_own_postgres_makes_a_key_and_keeps_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let secrets = Secrets::default();
        assert!(secrets.keys(Some(dir.path())).expect("made").is_some());
        let path = dir.path().join(FILE);
        let first = std::fs::read_to_string(&path).expect("a key");
        let mode = std::fs::metadata(&path)
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(secrets.keys(Some(dir.path())).expect("read").is_some());
        assert_eq!(std::fs::read_to_string(&path).expect("a key"), first);
        // What cannot be read is not replaced: secrets depend on it.
        std::fs::write(&path, "").expect("spoilt");
        let wrong = secrets.keys(Some(dir.path())).expect_err("no key");
        assert_eq!(wrong.field, "secrets.key_file");
        assert!(wrong.detail.contains(FILE), "{wrong}");
        assert_eq!(secrets.keys(None).map(|keys| keys.is_some()), Ok(false));
    }

    #[test]
    fn the_first_waitpoint_key_is_an_id_and_a_secret_and_is_never_quoted() {
        let read = |text: &str| {
            let secrets = Secrets {
                waitpoint_key: Some(Redacted(text.to_owned())),
                ..Secrets::default()
            };
            let read = secrets.waitpoint_key();
            read.map(|it| it.map(|(kid, secret)| (kid.to_owned(), secret.to_owned())))
        };
        let secret = "ab".repeat(32);
        assert_eq!(Secrets::default().waitpoint_key(), Ok(None));
        assert_eq!(
            read(&format!("k1:{secret}")),
            Ok(Some(("k1".to_owned(), secret.clone())))
        );
        for wrong in ["5ecre7", "k1:5ecre7", &format!("5ecre7/:{secret}"), ":"] {
            let refused = read(wrong).expect_err(wrong);
            assert_eq!(refused.field, "secrets.waitpoint_key");
            assert!(!refused.detail.contains("5ecre7"), "{refused}");
        }
    }

    #[test]
    fn a_wrong_setting_is_named_and_keys_are_redacted() {
        let key = "ab".repeat(32);
        assert!(with(Some(&format!("{key},{key}")), None).keys(None).is_ok());
        for (secrets, setting) in [
            (with(Some("s3cret"), None), "secrets.key"),
            (with(None, Some("/nowhere".into())), "secrets.key_file"),
            (
                with(Some(&key), Some("/nowhere".into())),
                "secrets.key_file",
            ),
        ] {
            let wrong = secrets.keys(None).expect_err("wrong");
            assert_eq!(wrong.field, setting);
            assert!(!wrong.detail.contains("s3cret"), "{wrong}");
        }
        let shown = format!(
            "{:?} {}",
            with(Some(&key), None),
            serde_json::to_string(&with(Some(&key), None)).expect("writes")
        );
        assert!(!shown.contains(&key), "{shown}");
    }
}
