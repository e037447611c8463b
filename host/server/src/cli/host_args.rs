//! Flags of the commands that make a host: each sets one key of the
//! configuration.

use std::path::PathBuf;

use clap::Args;
use toml::Value;

use super::exit::Failure;
use crate::config::{Loaded, Sources};
use crate::duration;

/// Which configuration to use.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigArgs {
    /// A TOML file with the sections database, secrets, http, worker, runtime, sandbox, limits, retention and telemetry
    #[arg(long, env = "FLOWHOST_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// A Postgres to use; without one the host runs its own [env: DATABASE_URL]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Where the host's own Postgres lives [env: FLOWHOST_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A directory with postgres and initdb to use for it
    #[arg(long, value_name = "DIR")]
    pg_bin_dir: Option<PathBuf>,
    /// Where compiled code is kept
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// Work on a server that may lose acknowledged work
    #[arg(long)]
    i_accept_loss: bool,
    /// What to log: a level, or levels by module [env: FLOWHOST_LOG]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Log as JSON [env: FLOWHOST_LOG_JSON]
    #[arg(long)]
    log_json: bool,
}

/// How to run a host.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Host")]
pub struct HostArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Address and port of the API; port 0 lets the system choose
    #[arg(long, value_name = "ADDR")]
    listen: Option<std::net::SocketAddr>,
    /// What callback URLs begin with [default: http:// and the address]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Attempts that run at once; 0 only serves the API
    #[arg(long, value_name = "N")]
    slots: Option<u32>,
    /// A lane to serve; may repeat [default: every lane]
    #[arg(long = "lane", value_name = "LANE")]
    lanes: Vec<String>,
    /// What this host can do; may repeat
    #[arg(long = "capability", value_name = "NAME")]
    capabilities: Vec<String>,
    /// How long a lease lasts without renewal
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    lease_ttl: Option<std::time::Duration>,
    /// How long running attempts may go on at the end
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    grace: Option<std::time::Duration>,
}

type Flags = Vec<(&'static str, Value)>;

impl ConfigArgs {
    /// Loads the configuration with these flags on top.
    pub fn load(self) -> Result<Loaded, Failure> {
        self.load_with(Vec::new())
    }

    fn load_with(self, mut flags: Flags) -> Result<Loaded, Failure> {
        let text = |value: String| Value::String(value);
        let path = |value: PathBuf| Value::String(value.to_string_lossy().into_owned());
        flags.extend(self.database_url.map(|it| ("database.url", text(it))));
        flags.extend(self.data_dir.map(|it| ("database.data_dir", path(it))));
        flags.extend(self.pg_bin_dir.map(|it| ("database.bin_dir", path(it))));
        flags.extend(self.cache_dir.map(|it| ("runtime.cache_dir", path(it))));
        flags.extend(self.log.map(|it| ("telemetry.log", text(it))));
        if self.i_accept_loss {
            flags.push(("database.allow_unsafe", Value::Boolean(true)));
        }
        if self.log_json {
            flags.push(("telemetry.log_json", Value::Boolean(true)));
        }
        Ok(Sources::of_process(self.config, flags).load()?)
    }
}

impl HostArgs {
    /// Loads the configuration with these flags on top.
    pub fn load(self) -> Result<Loaded, Failure> {
        let list =
            |items: Vec<String>| Value::Array(items.into_iter().map(Value::String).collect());
        let ms = |it: std::time::Duration| {
            Value::Integer(i64::try_from(it.as_millis()).unwrap_or(i64::MAX))
        };
        let mut flags = Flags::new();
        flags.extend(
            self.listen
                .map(|it| ("http.listen", Value::String(it.to_string()))),
        );
        flags.extend(
            self.public_url
                .map(|it| ("http.public_url", Value::String(it))),
        );
        flags.extend(
            self.slots
                .map(|it| ("worker.slots", Value::Integer(it.into()))),
        );
        flags.extend(self.lease_ttl.map(|it| ("worker.lease_ttl_ms", ms(it))));
        flags.extend(self.grace.map(|it| ("worker.drain_grace_ms", ms(it))));
        if !self.lanes.is_empty() {
            flags.push(("worker.lanes", list(self.lanes)));
        }
        if !self.capabilities.is_empty() {
            flags.push(("worker.capabilities", list(self.capabilities)));
        }
        self.config.load_with(flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_sets_its_key() {
        let args = HostArgs {
            listen: Some("127.0.0.1:1".parse().expect("an address")),
            public_url: Some("https://h".into()),
            slots: Some(3),
            lanes: vec!["a".into()],
            lease_ttl: Some(std::time::Duration::from_secs(2)),
            config: ConfigArgs {
                data_dir: Some("/data".into()),
                i_accept_loss: true,
                ..ConfigArgs::default()
            },
            ..HostArgs::default()
        };
        let config = args.load().expect("valid").config;
        assert_eq!(config.http.listen.port(), 1);
        assert_eq!(config.http.public_url.as_deref(), Some("https://h"));
        assert_eq!(config.worker.slots, 3);
        assert_eq!(config.worker.lanes, ["a"]);
        assert_eq!(config.worker.lease_ttl_ms, 2000);
        assert!(config.database.allow_unsafe);
    }
}
