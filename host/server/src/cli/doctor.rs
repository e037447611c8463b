//! `flowhost doctor`: what the configuration is, where each value comes from,
//! and whether everything is in place.

use std::time::Duration;

use clap::Args;
use engine::{SecretsFault, WakeUps};
use serde_json::{Value, json};

use super::Context;
use super::exit::{Exit, Failure};
use super::host_args::HostArgs;
use super::terminal::{Paint, neutralise, neutralise_lines, size};
use crate::api::Health;
use crate::config::{Config, Loaded, Origin};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    host: HostArgs,
}

/// Longest a notification to itself may be on its way, and the connection before it.
const WAKE_UPS_WITHIN: Duration = Duration::from_secs(12);

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    /// `None`: neither good nor bad.
    good: Option<bool>,
    detail: String,
}

/// Runs the command.
pub async fn run(context: &Context, args: DoctorArgs) -> Result<Exit, Failure> {
    let loaded = args.host.load()?;
    let values = effective(&loaded)?;
    let (database, secrets, wake_ups) = database(&loaded.config).await;
    let findings = vec![
        postgres(&loaded.config),
        database,
        secrets,
        wake_ups,
        host(context).await,
        sandboxes(&loaded.config),
        browsers(&loaded.config),
        cache(&loaded.config),
    ];
    let well = findings.iter().all(|finding| finding.good != Some(false));
    if context.json {
        let values: Vec<Value> = values
            .iter()
            .map(|(key, value, origin)| json!({"key": key, "value": value, "origin": origin.to_string()}))
            .collect();
        let findings: Vec<Value> = findings
            .iter()
            .map(|it| json!({"what": it.what, "good": it.good, "detail": it.detail}))
            .collect();
        let shown = json!({"configuration": values, "findings": findings});
        context.terminal.json(&shown.to_string());
    } else {
        show(context, &values, &findings);
    }
    Ok(if well { Exit::Ok } else { Exit::Failed })
}

fn show(context: &Context, values: &[(String, Value, Origin)], findings: &[Finding]) {
    let terminal = context.terminal;
    let rows: Vec<_> = values
        .iter()
        .map(|(key, value, origin)| {
            let paint = if *origin == Origin::Default {
                Paint::Dim
            } else {
                Paint::Bold
            };
            let value = match value {
                Value::Null => "-".to_owned(),
                Value::String(text) => neutralise(text),
                other => neutralise(&other.to_string()),
            };
            vec![
                (Paint::Plain, key.clone()),
                (paint, value),
                (Paint::Dim, origin.to_string()),
            ]
        })
        .collect();
    terminal.table(&["KEY", "VALUE", "FROM"], &rows);
    terminal.line("");
    for finding in findings {
        let (paint, mark) = match finding.good {
            Some(true) => (Paint::Green, "ok "),
            Some(false) => (Paint::Red, "bad"),
            None => (Paint::Yellow, "-  "),
        };
        let detail = neutralise_lines(&finding.detail);
        terminal.line(&format!(
            "{} {}: {detail}",
            terminal.paint(paint, mark),
            finding.what
        ));
    }
}

/// Returns key, value and origin of everything that can be configured; a
/// database's password is left out.
fn effective(loaded: &Loaded) -> Result<Vec<(String, Value, Origin)>, Failure> {
    let mut config = loaded.config.clone();
    config.database.url = config.database.shown_url();
    config.database.listen_url = config.database.shown_listen_url();
    let sections = serde_json::to_value(&config)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let mut values = Vec::new();
    for (section, keys) in sections.as_object().into_iter().flatten() {
        for (key, value) in keys.as_object().into_iter().flatten() {
            let path = format!("{section}.{key}");
            let origin = loaded
                .origins
                .get(&path)
                .cloned()
                .unwrap_or(Origin::Default);
            values.push((path, value.clone(), origin));
        }
    }
    Ok(values)
}

fn postgres(config: &Config) -> Finding {
    let found = config
        .database
        .cluster()
        .and_then(|settings| pgserver::find(&settings));
    let needed = config.database.url.is_none();
    let (good, detail) = match found {
        Ok(binaries) => (
            Some(true),
            format!("{} in {}", binaries.version, binaries.bin_dir.display()),
        ),
        Err(error) => (needed.then_some(false), error.to_string()),
    };
    Finding {
        what: "postgres to run",
        good,
        detail,
    }
}

/// Looks at a database that was named, and at the secrets in it; the host's own is
/// not started for this.
async fn database(config: &Config) -> (Finding, Finding, Finding) {
    let mut wake_ups = Finding {
        what: "wake-ups",
        good: None,
        detail: "not looked at".to_owned(),
    };
    let mut secrets = Finding {
        what: "secrets",
        good: None,
        detail: "not looked at".to_owned(),
    };
    let (good, detail) = if config.database.url.is_none() {
        (None, "none named: a host runs its own".to_owned())
    } else {
        let mut config = config.clone();
        config.database.migrate = false;
        let opened = match crate::host::Database::open(&config).await {
            Ok(database) => database.engine(&config).await,
            Err(error) => Err(engine::Error::Unavailable(error.to_string())),
        };
        match opened {
            Ok(engine) => {
                let instance = engine.instance();
                (secrets.good, secrets.detail) = secrets_of(&engine).await;
                (wake_ups.good, wake_ups.detail) = wake_ups_of(&engine).await;
                engine.close().await;
                (
                    Some(true),
                    format!(
                        "instance {}, generation {}",
                        instance.id, instance.generation
                    ),
                )
            }
            Err(error) => (Some(false), error.to_string()),
        }
    };
    let database = Finding {
        what: "database",
        good,
        detail,
    };
    (database, secrets, wake_ups)
}

/// Finds out whether notifications come back; work is found without, a little later.
async fn wake_ups_of(engine: &engine::Engine) -> (Option<bool>, String) {
    let until = tokio::time::Instant::now() + WAKE_UPS_WITHIN;
    let mut state = engine.wake_ups();
    while state == WakeUps::Unconnected && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
        state = engine.wake_ups();
    }
    let (good, detail) = match state {
        WakeUps::Heard => (Some(true), "hosts wake each other"),
        WakeUps::Off => (None, "switched off (database.wake_ups): hosts poll"),
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

async fn secrets_of(engine: &engine::Engine) -> (Option<bool>, String) {
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

async fn host(context: &Context) -> Finding {
    let asked = async {
        let health: Health = context.client()?.get("/readyz", Vec::new()).await?.read()?;
        Ok::<_, Failure>(health)
    };
    let (good, detail) = match asked.await {
        Ok(health) => (
            Some(true),
            format!(
                "{} is version {}, worker {}",
                context.url, health.version, health.worker_instance_id
            ),
        ),
        Err(failure) => (None, failure.message),
    };
    Finding {
        what: "host",
        good,
        detail,
    }
}

/// Says how many sandboxes a host started here would open at once, and how much memory
/// it would give them.
fn sandboxes(config: &Config) -> Finding {
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
    Finding {
        what: "sandboxes",
        good: (most > may).then_some(false),
        detail: format!(
            "{} at once for {} slots ({}), with {} linear memories and {} of memory; closed ones keep up to {}; this process may use {}",
            room.sandboxes,
            config.worker.slots,
            room.bound,
            room.memories,
            budget,
            size(room.kept_bytes()),
            size(may),
        ),
    }
}

/// Says who may ask the API from a browser.
fn browsers(config: &Config) -> Finding {
    let http = &config.http;
    let wrong = http
        .check_allowed_hosts()
        .and_then(|()| http.check_allowed_origins());
    let (good, detail) = match (wrong, http.host_names()) {
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
    };
    Finding {
        what: "browsers",
        good,
        detail,
    }
}

fn cache(config: &Config) -> Finding {
    let dir = config.code_dir();
    let (good, detail) = match std::fs::read_dir(dir.join("compiled")) {
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
                    size(total),
                    size(max),
                    dir.display()
                ),
            )
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            (None, format!("{} will be made", dir.display()))
        }
        Err(error) => (Some(false), format!("{}: {error}", dir.display())),
    };
    Finding {
        what: "compiled code",
        good,
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn every_key_is_shown_and_no_password() {
        let sources = Sources {
            environment: vec![("DATABASE_URL".into(), "postgres://a:s3cret@h/d".into())],
            ..Sources::default()
        };
        let values = effective(&sources.load().expect("valid")).expect("shows");
        let find = |key: &str| values.iter().find(|(it, ..)| it == key).expect("a key");
        assert_eq!(find("database.url").1, "postgres://a:***@h/d");
        assert_eq!(
            find("database.url").2,
            Origin::Environment("DATABASE_URL".into())
        );
        assert_eq!(find("worker.slots").2, Origin::Default);
        assert!(
            values
                .iter()
                .all(|(_, value, _)| !value.to_string().contains("s3cret"))
        );
    }
}
