//! Flags of the commands that run hosts: each sets one key of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use toml::Value;

use crate::cli::io::Failure;
use crate::config::{Loaded, Sources};
use crate::duration;

/// Which configuration to use.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigArgs {
    /// A TOML file with the sections database, secrets, http, access, worker, runtime, sandbox, limits, retention and telemetry
    #[arg(long, env = "FLOWHOST_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// A Postgres to use; without one the host runs its own [env: DATABASE_URL]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Data directory of the host's own Postgres [env: FLOWHOST_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Directory with the postgres and initdb to use for it
    #[arg(long, value_name = "DIR")]
    pg_bin_dir: Option<PathBuf>,
    /// Directory for compiled code
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
    /// Want a credential of every caller
    #[arg(long, conflicts_with = "insecure_no_auth")]
    require_credentials: bool,
    /// Let anybody who reaches the API do everything, also beyond this machine
    #[arg(long)]
    insecure_no_auth: bool,
    /// Beginning of callback URLs [default: http:// and the address]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Attempts that run at once; 0 only serves the API
    #[arg(long, value_name = "N")]
    slots: Option<u32>,
    /// A lane to serve; may repeat [default: every lane]
    #[arg(long = "lane", value_name = "LANE")]
    lanes: Vec<String>,
    /// A capability of this host; may repeat
    #[arg(long = "capability", value_name = "NAME")]
    capabilities: Vec<String>,
    /// How long a lease lasts without renewal
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    lease_ttl: Option<Duration>,
    /// How long running attempts may take to finish at the end
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    grace: Option<Duration>,
}

type Flags = Vec<(&'static str, Option<Value>)>;

impl ConfigArgs {
    /// Loads the configuration with these flags on top.
    pub fn load(self) -> Result<Loaded, Failure> {
        self.load_with(Vec::new())
    }

    fn load_with(self, mut flags: Flags) -> Result<Loaded, Failure> {
        let path = |it: PathBuf| Value::String(it.to_string_lossy().into_owned());
        flags.extend([
            ("database.url", self.database_url.map(Value::String)),
            ("database.data_dir", self.data_dir.map(path)),
            ("database.bin_dir", self.pg_bin_dir.map(path)),
            ("database.allow_unsafe", given(self.i_accept_loss)),
            ("runtime.cache_dir", self.cache_dir.map(path)),
            ("telemetry.log", self.log.map(Value::String)),
            ("telemetry.log_json", given(self.log_json)),
        ]);
        let flags = flags
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        Ok(Sources::of_process(self.config, flags.collect()).load()?)
    }
}

impl HostArgs {
    /// Loads the configuration with these flags on top.
    pub fn load(self) -> Result<Loaded, Failure> {
        let list = |items: Vec<String>| (!items.is_empty()).then(|| Value::from(items));
        let ms = |it: Duration| Value::Integer(i64::try_from(it.as_millis()).unwrap_or(i64::MAX));
        let listen = self.listen.map(|it| Value::String(it.to_string()));
        self.config.load_with(vec![
            ("http.listen", listen),
            ("access.required", given(self.require_credentials)),
            ("access.insecure_no_auth", given(self.insecure_no_auth)),
            ("http.public_url", self.public_url.map(Value::String)),
            (
                "worker.slots",
                self.slots.map(|it| Value::Integer(it.into())),
            ),
            ("worker.lanes", list(self.lanes)),
            ("worker.capabilities", list(self.capabilities)),
            ("worker.lease_ttl_ms", self.lease_ttl.map(ms)),
            ("worker.drain_grace_ms", self.grace.map(ms)),
        ])
    }
}

/// Returns the value of a flag that takes none: `true` if it is given.
fn given(flag: bool) -> Option<Value> {
    flag.then_some(Value::Boolean(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_sets_its_key() {
        let args = HostArgs {
            listen: Some("127.0.0.1:1".parse().expect("an address")),
            public_url: Some("https://h".into()),
            require_credentials: true,
            slots: Some(3),
            lanes: vec!["a".into()],
            lease_ttl: Some(Duration::from_secs(2)),
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
        assert!(config.access.required);
        assert_eq!(config.worker.slots, 3);
        assert_eq!(config.worker.lanes, ["a"]);
        assert_eq!(config.worker.lease_ttl_ms, 2000);
        assert!(config.database.allow_unsafe);
    }
}
