//! What `doctor` checks: everything a host started here would need.

use std::time::Duration;

use engine::{SecretsFault, WakeUps};

use crate::api::Health;
use crate::cli::io::{Client, Context, Failure, URL_DEFAULT, format_bytes, format_time};
use crate::config::Config;
use crate::http::{Tls, oidc};

/// Longest a notification to itself may be on its way, and the connection before it.
const WAKE_UPS_WITHIN: Duration = Duration::from_secs(12);

/// The result of one check.
pub struct Finding {
    /// Part of the host that was checked.
    pub what: &'static str,
    /// Whether it is in place; absent when it is neither good nor bad.
    pub good: Option<bool>,
    /// A sentence for people.
    pub detail: String,
}

/// Whether a part is in place, absent when it is neither good nor bad; and a sentence.
type Checked = (Option<bool>, String);

impl Finding {
    fn new(what: &'static str, (good, detail): Checked) -> Self {
        Self { what, good, detail }
    }
}

/// Checks every part of a host.
pub async fn all(context: &Context, config: &Config) -> Vec<Finding> {
    let (database, secrets, wake_ups) = database(config).await;
    vec![
        Finding::new("postgres to run", postgres(config)),
        Finding::new("database", database),
        Finding::new("secrets", secrets),
        Finding::new("wake-ups", wake_ups),
        Finding::new("host", host(context, config).await),
        Finding::new("TLS", tls(config)),
        Finding::new("tokens", tokens(config).await),
        Finding::new("doors", doors(config)),
        Finding::new("sandboxes", sandboxes(config)),
        Finding::new("access", access(config)),
        Finding::new("browsers", browsers(config)),
        Finding::new("compiled code", cache(config)),
    ]
}

fn postgres(config: &Config) -> Checked {
    let found = config
        .database
        .cluster()
        .and_then(|settings| pgserver::find(&settings));
    let needed = config.database.url.is_none();
    match found {
        Ok(binaries) => (
            Some(true),
            format!("{} in {}", binaries.version, binaries.bin_dir.display()),
        ),
        Err(error) => (needed.then_some(false), error.to_string()),
    }
}

/// Checks a database that was named, its secrets and its wake-ups; the host's own is not
/// started for this.
async fn database(config: &Config) -> (Checked, Checked, Checked) {
    let unchecked = || (None, "not checked".to_owned());
    if config.database.url.is_none() {
        let own = (None, "none named: a host runs its own".to_owned());
        return (own, unchecked(), unchecked());
    }
    let mut config = config.clone();
    config.database.migrate = false;
    let opened = match crate::host::Database::open(&config).await {
        Ok(database) => database.engine(&config).await,
        Err(error) => Err(engine::Error::Unavailable(error.to_string())),
    };
    let engine = match opened {
        Ok(engine) => engine,
        Err(error) => return ((Some(false), error.to_string()), unchecked(), unchecked()),
    };
    let instance = engine.instance();
    let (id, generation) = (instance.id, instance.generation);
    let database = (
        Some(true),
        format!("instance {id}, generation {generation}"),
    );
    let (secrets, wake_ups) = (secrets_of(&engine).await, wake_ups_of(&engine).await);
    engine.close().await;
    (database, secrets, wake_ups)
}

/// Checks whether notifications arrive; without them work is found a little later.
async fn wake_ups_of(engine: &engine::Engine) -> Checked {
    let until = tokio::time::Instant::now() + WAKE_UPS_WITHIN;
    let mut state = engine.wake_ups();
    while state == WakeUps::Unconnected && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
        state = engine.wake_ups();
    }
    let (good, detail) = match state {
        WakeUps::Arriving => (Some(true), "hosts wake each other"),
        WakeUps::Off => (None, "turned off (database.wake_ups): hosts poll"),
        WakeUps::Unconnected => (
            Some(false),
            "this host could not connect to listen: hosts poll",
        ),
        WakeUps::Deaf => (
            Some(false),
            "a notification to itself did not arrive: name the server in database.listen_url if a pooler is in between; hosts poll",
        ),
    };
    (good, detail.to_owned())
}

async fn secrets_of(engine: &engine::Engine) -> Checked {
    match engine.check_secrets().await {
        Ok(()) => (
            Some(true),
            "this host can sign and read waitpoint tokens".to_owned(),
        ),
        // Only waitpoints need them.
        Err(error @ engine::Error::Secrets(SecretsFault::KeyMissing)) => (None, error.to_string()),
        Err(error) => (Some(false), error.to_string()),
    }
}

/// Reads the files of TLS as a host does.
fn tls(config: &Config) -> Checked {
    match Tls::open(&config.tls) {
        Ok(None) => (None, "off: the API speaks plain HTTP".to_owned()),
        Ok(Some(tls)) => {
            let expires = time::OffsetDateTime::from_unix_timestamp(tls.expires_at());
            let expires = expires.map_or_else(|error| error.to_string(), format_time);
            let warnings = tls.warnings();
            let clients = match &config.tls.client_ca {
                Some(_) => format!("{} names of clients have roles", config.tls.clients.len()),
                None => "clients are not asked for certificates".to_owned(),
            };
            let mut detail = format!("the certificate expires {expires}; {clients}");
            for warning in &warnings {
                detail.push_str(&format!("; {warning}"));
            }
            (Some(warnings.is_empty()), detail)
        }
        Err(invalid) => (Some(false), invalid.to_string()),
    }
}

/// Asks the issuer of tokens for its keys, as a host does.
async fn tokens(config: &Config) -> Checked {
    match oidc::Verifier::new(&config.oidc) {
        Ok(None) => (None, "no issuer is named (oidc.issuer)".to_owned()),
        Ok(Some(verifier)) => match verifier.check().await {
            Ok(()) => (Some(true), "the issuer answers with its keys".to_owned()),
            Err(why) => (Some(false), why),
        },
        Err(invalid) => (Some(false), invalid.to_string()),
    }
}

/// Says what one address may ask.
fn doors(config: &Config) -> Checked {
    if let Err(invalid) = config.check() {
        return (Some(false), invalid.to_string());
    }
    let doors = &config.doors;
    let or_any = |limit: u32| match limit {
        0 => "any number of".to_owned(),
        limit => limit.to_string(),
    };
    let detail = format!(
        "an address may send {} requests a second on {} connections{}; {} proxies are trusted",
        or_any(doors.address_requests_per_second),
        or_any(doors.connections_per_address_max),
        if doors.limit_loopback {
            ""
        } else {
            ", those of this machine as many as they like"
        },
        doors.trusted_proxies.len(),
    );
    (Some(true), detail)
}

async fn host(context: &Context, config: &Config) -> Checked {
    let asked = async {
        let mut target = context.target()?.clone();
        // The URL that is not named is that of a host with this configuration.
        if target.url == URL_DEFAULT && config.tls.is_on() {
            target.url = format!("https://{}", config.http.listen);
            target.ca = target.ca.or_else(|| config.tls.certificate.clone());
        }
        let answer = Client::of(&target)?.get("/readyz", Vec::new()).await?;
        Ok::<(Health, String), Failure>((answer.read()?, target.url))
    };
    match asked.await {
        Ok((health, url)) => (
            Some(true),
            format!(
                "{url} is version {}, worker {}",
                health.version, health.worker_instance_id
            ),
        ),
        Err(failure) => (None, failure.message),
    }
}

/// Computes how many sandboxes a host started here would open at once, and how much memory
/// it would give them.
fn sandboxes(config: &Config) -> Checked {
    let machine = runtime::MachineLimits::detect();
    let settings = config.runtime_settings(Default::default());
    let budget = runtime::MemoryBudget::new(settings.memory_bytes_max, &machine);
    let room = runtime::PoolSize::new(
        settings.sandboxes_max,
        budget.bytes(),
        &settings.limits,
        &machine,
    );
    let may = machine
        .cgroup_memory_bytes
        .map_or(machine.memory_bytes, |bytes| {
            bytes.min(machine.memory_bytes)
        });
    let most = budget.bytes().saturating_add(room.kept_bytes());
    (
        (most > may).then_some(false),
        format!(
            "{} at once for {} slots ({}), with {} linear memories and {} of memory; closed ones keep up to {}; this process may use {}",
            room.sandboxes,
            config.worker.slots,
            room.bound,
            room.memories,
            budget,
            format_bytes(room.kept_bytes()),
            format_bytes(may),
        ),
    )
}

/// Checks who may use the API.
fn access(config: &Config) -> Checked {
    let listen = config.http.listen;
    let access = &config.access;
    match access.check(listen) {
        Err(invalid) => (Some(false), invalid.to_string()),
        Ok(()) if access.required => (
            Some(true),
            "the API wants a credential of every caller".to_owned(),
        ),
        Ok(()) if access.is_open(listen) => (
            Some(false),
            format!("INSECURE: anybody who reaches {listen} may do everything (access.insecure_no_auth)"),
        ),
        Ok(()) => (
            None,
            "anybody on this machine may do everything; beyond it the API is not offered (access.required wants credentials)".to_owned(),
        ),
    }
}

/// Checks which sites may use the API from a browser.
fn browsers(config: &Config) -> Checked {
    let http = &config.http;
    let wrong = http
        .check_allowed_hosts()
        .and_then(|()| http.check_allowed_origins());
    match (wrong, http.host_names()) {
        (Err(detail), _) => (Some(false), detail),
        (Ok(()), None) => (
            None,
            "the API answers under every name: list its names in http.allowed_hosts to keep pages of other sites out"
                .to_owned(),
        ),
        (Ok(()), Some(names)) => {
            let mut detail = format!("the API answers under {} and addresses", names.join(", "));
            if !http.allowed_origins.is_empty() {
                let origins = http.allowed_origins.join(", ");
                detail.push_str(&format!(", also to pages of {origins}"));
            }
            (Some(true), detail)
        }
    }
}

fn cache(config: &Config) -> Checked {
    let dir = config.code_dir();
    match std::fs::read_dir(dir.join("compiled")) {
        Ok(entries) => {
            let sizes: Vec<u64> = entries
                .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
                .collect();
            let (total, max) = (sizes.iter().sum(), config.runtime.cache_bytes_max);
            (
                Some(true),
                format!(
                    "{} files, {} of {} in {}",
                    sizes.len(),
                    format_bytes(total),
                    format_bytes(max),
                    dir.display()
                ),
            )
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            (None, format!("{} will be made", dir.display()))
        }
        Err(error) => (Some(false), format!("{}: {error}", dir.display())),
    }
}
