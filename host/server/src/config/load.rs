//! Lays the sources of the configuration over each other: default, file,
//! environment, flag, the later winning. Remembers where each value came from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::{Table, Value};

use super::Config;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The default of the key.
    Default,
    /// The configuration file set it.
    File,
    /// This environment variable set it.
    Environment(String),
    /// A flag of the command line.
    Flag,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Why the system cannot read it.
        source: std::io::Error,
    },
    /// The file is not a valid configuration.
    #[error("{}: {detail}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong, with its place in the file.
        detail: String,
    },
    /// An environment variable is not valid.
    #[error("environment variable {name}: {detail}")]
    Environment {
        /// Name of the variable.
        name: String,
        /// What is wrong with its value.
        detail: String,
    },
    /// A value is not valid, as a flag set it.
    #[error("configuration: {0}")]
    Value(String),
}

/// The sources of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The configuration file; none when absent.
    pub file: Option<PathBuf>,
    /// Names and values of the environment variables.
    pub environment: Vec<(String, String)>,
    /// `section.key` and value of each flag given.
    pub flags: Vec<(&'static str, Value)>,
}

/// The configuration and where each of its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The value that is effective for each key.
    pub config: Config,
    /// By `section.key`; a key that is absent is a default.
    pub origins: BTreeMap<String, Origin>,
}

/// Variables that set a key under another name than their own.
const ALIASES: [(&str, &str); 4] = [
    ("DATABASE_URL", "database.url"),
    ("FLOWHOST_LOG", "telemetry.log"),
    ("FLOWHOST_LOG_JSON", "telemetry.log_json"),
    ("FLOWHOST_DATA_DIR", "database.data_dir"),
];

impl Sources {
    /// Takes the environment of the process.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(&'static str, Value)>) -> Self {
        // A variable that is not Unicode names no key.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            file,
            environment,
            flags,
        }
    }

    /// Lays the sources over each other.
    ///
    /// # Errors
    /// The first source that is wrong.
    pub fn load(self) -> Result<Loaded, ConfigError> {
        let defaults = Table::try_from(Config::default())
            .map_err(|error| ConfigError::Value(error.to_string()))?;
        let mut merged = Merged {
            values: defaults.clone(),
            origins: BTreeMap::new(),
        };
        if let Some(path) = self.file {
            merged.lay_file(path)?;
        }
        for (name, value) in self.environment {
            let Some(key) = key_of(&name, &defaults) else {
                continue;
            };
            let value =
                typed(&value, at(&defaults, &key)).map_err(|detail| ConfigError::Environment {
                    name: name.clone(),
                    detail,
                })?;
            merged.set(&key, value, Origin::Environment(name.clone()));
            merged
                .check()
                .map_err(|detail| ConfigError::Environment { name, detail })?;
        }
        for (key, value) in self.flags {
            merged.set(key, value, Origin::Flag);
        }
        let config = merged.check().map_err(ConfigError::Value)?;
        Ok(Loaded {
            config,
            origins: merged.origins,
        })
    }
}

struct Merged {
    values: Table,
    origins: BTreeMap<String, Origin>,
}

impl Merged {
    fn lay_file(&mut self, path: PathBuf) -> Result<(), ConfigError> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        // Read on its own first, so that errors point into the file.
        if let Err(error) = toml::from_str::<Config>(&text) {
            return Err(ConfigError::File {
                path,
                detail: error.to_string(),
            });
        }
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| ConfigError::File {
                path,
                detail: error.to_string(),
            })?;
        for (section, values) in table {
            let Value::Table(values) = values else {
                continue;
            };
            for (key, value) in values {
                self.set(&format!("{section}.{key}"), value, Origin::File);
            }
        }
        Ok(())
    }

    fn set(&mut self, path: &str, value: Value, origin: Origin) {
        let (section, key) = path.split_once('.').unwrap_or((path, ""));
        let section = self
            .values
            .entry(section)
            .or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(section) = section {
            section.insert(key.to_owned(), value);
        }
        self.origins.insert(path.to_owned(), origin);
    }

    fn check(&self) -> Result<Config, String> {
        self.values
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| error.message().to_owned())
    }
}

/// Returns the key a variable sets: an alias, or `FLOWHOST_<SECTION>_<KEY>` of a
/// section there is. The key itself may be unknown, which is an error later.
fn key_of(name: &str, defaults: &Table) -> Option<String> {
    if let Some((_, key)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        return Some((*key).to_owned());
    }
    let rest = name.strip_prefix("FLOWHOST_")?.to_ascii_lowercase();
    let (section, key) = rest.split_once('_')?;
    defaults
        .contains_key(section)
        .then(|| format!("{section}.{key}"))
}

fn at<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let (section, key) = path.split_once('.')?;
    table.get(section)?.get(key)
}

/// Reads a text as the type the default has; a key without a default is a text.
fn typed(text: &str, default: Option<&Value>) -> Result<Value, String> {
    Ok(match default {
        Some(Value::Integer(_)) => Value::Integer(
            text.parse()
                .map_err(|_| format!("`{text}` is not a whole number"))?,
        ),
        Some(Value::Boolean(_)) => match text {
            "1" | "true" | "on" | "yes" => Value::Boolean(true),
            "" | "0" | "false" | "off" | "no" => Value::Boolean(false),
            _ => return Err(format!("`{text}` is neither true nor false")),
        },
        Some(Value::Array(_)) => Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Value::String(part.to_owned()))
                .collect(),
        ),
        _ => Value::String(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flowhost.toml");
        std::fs::write(&path, text).expect("write");
        (dir, path)
    }

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
        let (_dir, path) = file("[worker]\nslots = 1\nlease_ttl_ms = 2000\ndrain_grace_ms = 3\n");
        let loaded = Sources {
            file: Some(path),
            environment: environment(&[
                ("FLOWHOST_WORKER_SLOTS", "10"),
                ("FLOWHOST_WORKER_LEASE_TTL_MS", "20000"),
                ("FLOWHOST_WORKER_LANES", "a, b"),
                ("DATABASE_URL", "postgres:///x"),
                ("PATH", "/bin"),
            ]),
            flags: vec![("worker.slots", Value::Integer(100))],
        }
        .load()
        .expect("valid");
        let Config {
            worker, database, ..
        } = loaded.config;
        assert_eq!(worker.slots, 100);
        assert_eq!(worker.lease_ttl_ms, 20_000);
        assert_eq!(worker.drain_grace_ms, 3);
        assert_eq!(worker.lanes, ["a", "b"]);
        assert_eq!(database.url.as_deref(), Some("postgres:///x"));
        assert_eq!(database.shared_buffers_mb, 128);
        assert_eq!(loaded.origins["worker.slots"], Origin::Flag);
        assert_eq!(loaded.origins["worker.drain_grace_ms"], Origin::File);
        assert!(!loaded.origins.contains_key("database.shared_buffers_mb"));
    }

    #[test]
    fn an_unknown_key_is_an_error_in_every_source() {
        let (_dir, path) = file("[worker]\nslot = 1\n");
        let wrong_file = Sources {
            file: Some(path),
            ..Sources::default()
        };
        let error = wrong_file.load().expect_err("unknown key").to_string();
        assert!(error.contains("slot"), "{error}");
        let wrong_variable = Sources {
            environment: environment(&[("FLOWHOST_WORKER_SLOT", "1")]),
            ..Sources::default()
        };
        let error = wrong_variable.load().expect_err("unknown key").to_string();
        assert!(error.contains("FLOWHOST_WORKER_SLOT"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_type_names_its_variable() {
        for (name, value) in [
            ("FLOWHOST_WORKER_SLOTS", "many"),
            ("FLOWHOST_WORKER_SLOTS", "-1"),
            ("FLOWHOST_HTTP_LISTEN", "localhost"),
            ("FLOWHOST_DATABASE_MIGRATE", "maybe"),
        ] {
            let sources = Sources {
                environment: environment(&[(name, value)]),
                ..Sources::default()
            };
            let error = sources.load().expect_err(value).to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
