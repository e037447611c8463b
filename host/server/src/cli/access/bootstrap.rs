//! `flowhost token bootstrap`: makes the first admin key, directly on the database. There is
//! no password that a host begins with: an operator who can write the database may do this.

use std::time::Duration;

use clap::Args;
use engine::{AuditEntry, CreatedApiKey, Declined, Engine};
use model::{ApiKeyRefusal, Scope};
use serde_json::json;

use crate::cli::host::ConfigArgs;
use crate::cli::io::{Context, Exit, Failure, actor, to_stderr};
use crate::config::Config;
use crate::duration;
use crate::host::Database;
use crate::telemetry;

/// What the audit calls it.
const VERB: &str = "token bootstrap";

/// Arguments of `token bootstrap`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost token bootstrap --database-url postgres://…
  flowhost token bootstrap --database-url postgres://… | flowhost profile set prod --url https://flowhost.example.com

Standard output is the key alone. No one can read it again.")]
pub struct BootstrapArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Name of the key
    #[arg(long, value_name = "NAME", default_value = "admin")]
    name: String,
    /// How long it is accepted [default: until it is revoked]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    expires_in: Option<Duration>,
    /// Make one although there are admins' keys, such as when their texts were lost; the
    /// audit says so
    #[arg(long)]
    force: bool,
}

/// What is made.
struct Wanted {
    name: String,
    expires_in_ms: Option<u64>,
    force: bool,
}

/// Runs the command.
pub async fn run(context: &Context, args: BootstrapArgs) -> Result<Exit, Failure> {
    let config = args.config.load()?.config;
    telemetry::install(&config.telemetry);
    let wanted = Wanted {
        name: args.name,
        expires_in_ms: args.expires_in.map(|it| it.as_millis() as u64),
        force: args.force,
    };
    let database = Database::open(&config).await?;
    let made = on(&database, &config, &wanted).await;
    database.close().await;
    let (created, key) = made?;
    if context.json {
        let key = crate::api::CreatedApiKey {
            text: created.text.reveal().to_owned(),
            key: key.into(),
        };
        context.terminal.json(&json!(key).to_string());
    } else {
        context.line(created.text.reveal());
        to_stderr(&format!(
            "key {} is made: admin in every namespace; its text is shown only now; keep it with `flowhost profile set`",
            wanted.name
        ));
    }
    Ok(Exit::Ok)
}

async fn on(
    database: &Database,
    config: &Config,
    wanted: &Wanted,
) -> Result<(CreatedApiKey, engine::ApiKey), Failure> {
    let engine = database.engine(config).await?;
    let made = bootstrap(&engine, wanted).await;
    engine.close().await;
    made
}

async fn bootstrap(
    engine: &Engine,
    wanted: &Wanted,
) -> Result<(CreatedApiKey, engine::ApiKey), Failure> {
    let who = actor().unwrap_or_else(|| "unknown".to_owned());
    let forced = if wanted.force { ", forced" } else { "" };
    let entry = AuditEntry {
        verb: VERB.to_owned(),
        target: Some(format!("key {}", wanted.name)),
        note: Some(format!("on the database, by the user {who}{forced}")),
        ..AuditEntry::default()
    };
    let id = engine.audit_begin(entry).await?;
    let actor = format!("bootstrap/{who}");
    let made = engine
        .bootstrap_api_key(&wanted.name, wanted.expires_in_ms, &actor, wanted.force)
        .await;
    let outcome = match &made {
        Ok(_) => "done",
        Err(Declined::Refused(refusal)) => refusal.code(),
        Err(Declined::Fault(_)) => "internal",
    };
    engine.audit_end(id, outcome).await?;
    let created = made.map_err(refused)?;
    let key = engine.api_key(created.id, &Scope::Everywhere).await?;
    let gone = || Failure::new(Exit::Conflict, "the key was removed meanwhile");
    Ok((created, key.ok_or_else(gone)?))
}

fn refused(declined: Declined<ApiKeyRefusal>) -> Failure {
    match declined {
        Declined::Refused(refusal @ ApiKeyRefusal::AdminExists(_)) => Failure::new(
            Exit::Conflict,
            format!(
                "{refusal}, `flowhost token create`; if its text is lost, add --force and another --name, then revoke it"
            ),
        ),
        Declined::Refused(refusal @ ApiKeyRefusal::NameTaken(_)) => Failure::new(
            Exit::Conflict,
            format!("{refusal}; name the key with --name"),
        ),
        Declined::Refused(refusal) => Failure::usage(refusal.to_string()),
        Declined::Fault(fault) => fault.into(),
    }
}
