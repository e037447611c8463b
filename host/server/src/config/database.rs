//! Section `[database]`: a Postgres that is named, or the host's own.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The database of the instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// A Postgres to use, such as `postgres://user:password@host/database`; when absent,
    /// the host runs its own. `DATABASE_URL` sets it too.
    pub url: Option<String>,
    /// Server to listen at for wake-ups, if `url` leads through a pooler that does not
    /// forward notifications; `url` when absent.
    pub listen_url: Option<String>,
    /// Whether hosts wake each other when work is ready; otherwise they poll, and begin
    /// up to a second later.
    pub wake_ups: bool,
    /// Data directory of the host's own cluster; `/var/lib/flowhost` for root and a
    /// directory below the home directory for other users when absent.
    pub data_dir: Option<PathBuf>,
    /// Directory with the `postgres` and `initdb` to use for it; searched for when absent.
    pub bin_dir: Option<PathBuf>,
    /// Page cache of the host's own cluster, in megabytes.
    pub shared_buffers_mb: u32,
    /// Most connections that the host's own cluster accepts.
    pub max_connections: u32,
    /// Write-ahead log kept between checkpoints by the host's own cluster, in
    /// megabytes.
    pub wal_max_mb: u32,
    /// Whether a server that may lose commits (`fsync` off and the like) is
    /// accepted.
    pub allow_unsafe: bool,
    /// Whether the schema is brought up to date at start.
    pub migrate: bool,
    /// Partitions of a new instance, 1 to 4096; 0 leaves it to the engine. An
    /// existing instance keeps its own.
    pub partitions: u16,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            listen_url: None,
            wake_ups: true,
            data_dir: None,
            bin_dir: None,
            shared_buffers_mb: 128,
            max_connections: 64,
            wal_max_mb: 1024,
            allow_unsafe: false,
            migrate: true,
            partitions: 0,
        }
    }
}

impl Database {
    /// Returns the settings of the host's own cluster.
    ///
    /// # Errors
    /// No data directory is configured, and none follows from the environment.
    pub fn cluster(&self) -> Result<pgserver::Settings, pgserver::Error> {
        let data_dir = match &self.data_dir {
            Some(dir) => dir.clone(),
            None => pgserver::default_data_dir()?,
        };
        Ok(pgserver::Settings {
            bin_dir: self.bin_dir.clone(),
            cache_dir: pgserver::default_cache_dir().ok(),
            shared_buffers_mb: self.shared_buffers_mb,
            max_connections: self.max_connections,
            wal_max_mb: self.wal_max_mb,
            ..pgserver::Settings::new(data_dir)
        })
    }

    /// Returns `url` without its password, for people to read.
    pub fn redacted_url(&self) -> Option<String> {
        self.url.as_deref().and_then(redacted)
    }

    /// Returns `listen_url` without its password.
    pub fn redacted_listen_url(&self) -> Option<String> {
        self.listen_url.as_deref().and_then(redacted)
    }
}

/// Replaces the password of a URL.
fn redacted(url: &str) -> Option<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Some("(set, not a URL)".to_owned());
    };
    // A password may also stand in the query.
    let (rest, query) = rest
        .split_once('?')
        .map_or((rest, None), |(a, b)| (a, Some(b)));
    let shown = match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:***@{host}")
        }
        None => format!("{scheme}://{rest}"),
    };
    Some(match query {
        Some(query) if query.contains("password") => format!("{shown}?***"),
        Some(query) => format!("{shown}?{query}"),
        None => shown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_redacted() {
        for (url, shown) in [
            ("postgres://a:s3cret@h/db", "postgres://a:***@h/db"),
            ("postgres://a:p@s3cret@h/db", "postgres://a:***@h/db"),
            (
                "postgres:///db?host=/run&password=s3cret",
                "postgres:///db?***",
            ),
            ("postgres:///db?host=/run", "postgres:///db?host=/run"),
            ("s3cret", "(set, not a URL)"),
        ] {
            let database = Database {
                url: Some(url.to_owned()),
                ..Database::default()
            };
            assert_eq!(database.redacted_url().as_deref(), Some(shown));
        }
    }
}
