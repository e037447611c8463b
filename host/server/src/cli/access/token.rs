//! `flowhost token`: makes, lists, rotates and revokes API keys.

use std::time::Duration;

use clap::{Args, Subcommand};
use model::Role;
use reqwest::Method;
use uuid::Uuid;

use super::bootstrap;
use crate::api::{ApiKey, ApiKeys, CreateApiKey, CreatedApiKey, RevokeApiKey, RotateApiKey};
use crate::cli::io::{
    Client, Context, DryRun, Exit, Failure, PageArgs, Paint, actor, escape, format_time, to_stderr,
};
use crate::duration;

/// What is done to API keys.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a key and print it, once
    #[command(after_help = "\
Examples:
  flowhost token create ci --role submitter --namespace billing --expires-in 90d
  flowhost token create ops --role operator | flowhost profile set prod --url https://flowhost.example.com

Standard output is the key alone. No one can read it again.")]
    Create(CreateArgs),
    /// List the keys, newest first; never their texts
    List(ListArgs),
    /// Show a key; never its texts
    Show {
        /// Id of the key, or its name
        key: String,
    },
    /// Print another text for a key, and accept the old ones for a while
    Rotate(RotateArgs),
    /// Refuse a key from now on
    Revoke {
        /// Id of the key, or its name
        key: String,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Make the first admin key, directly on the database
    Bootstrap(bootstrap::BootstrapArgs),
}

/// Arguments of `token create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Name of the key
    name: String,
    /// What it may do: viewer, submitter, worker, approver, operator or admin
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// The namespace in which it may do that [default: every one]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// How long it is accepted [default: until it is revoked]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    expires_in: Option<Duration>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Arguments of `token list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Also those that were revoked or have expired
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    page: PageArgs,
}

/// Arguments of `token rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Id of the key, or its name
    key: String,
    /// How long the old texts are accepted, 0s to refuse them at once [default: 1d]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    overlap: Option<Duration>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Runs the command.
pub async fn run(context: &Context, command: TokenCommand) -> Result<Exit, Failure> {
    match command {
        TokenCommand::Create(args) => create(context, args).await,
        TokenCommand::List(args) => list(context, args).await,
        TokenCommand::Show { key } => show(context, &key).await,
        TokenCommand::Rotate(args) => rotate(context, args).await,
        TokenCommand::Revoke { key, dry_run } => revoke(context, &key, dry_run).await,
        TokenCommand::Bootstrap(args) => bootstrap::run(context, args).await,
    }
}

async fn create(context: &Context, args: CreateArgs) -> Result<Exit, Failure> {
    let body = CreateApiKey {
        name: args.name,
        role: args.role,
        namespace: args.namespace,
        expires_in_ms: args.expires_in.map(|it| it.as_millis() as u64),
        actor: actor(),
    };
    let dry_run = args.dry_run;
    let answer = dry_run.send(context, Method::POST, "/v1/tokens", &body);
    let answer = answer.await?;
    if !context.prints_json(&answer) {
        let made: CreatedApiKey = answer.read()?;
        print_text(context, dry_run, &made, "is made");
    }
    Ok(Exit::Ok)
}

/// Prints the text of a key alone, so that it can be passed on, and the rest elsewhere. That
/// of a dry run is accepted nowhere.
pub fn print_text(context: &Context, dry_run: DryRun, made: &CreatedApiKey, what: &str) {
    let key = &made.key;
    let what = format!("key {} {what}: {}", escape(&key.name), may(key));
    if dry_run.is_asked() {
        dry_run.line(context, &what);
        return;
    }
    context.line(&escape(&made.text));
    to_stderr(&format!("{what}; its text is shown only now"));
}

/// Says what a key may do, and where.
fn may(key: &ApiKey) -> String {
    match &key.namespace {
        Some(namespace) => format!("{} in namespace {}", key.role, escape(namespace)),
        None => format!("{} in every namespace", key.role),
    }
}

async fn list(context: &Context, args: ListArgs) -> Result<Exit, Failure> {
    let accepted = (!args.all).then(|| ("accepted", "true".to_owned()));
    let query = accepted.into_iter().collect();
    let header = [
        "NAME",
        "ROLE",
        "NAMESPACE",
        "STATE",
        "TEXT",
        "USED",
        "EXPIRES",
        "ID",
    ];
    let show = |page: &ApiKeys| context.rows(&page.keys, "no keys", &header, row);
    let page = args.page;
    page.show(context, "/v1/tokens", query, "key", show).await
}

fn row(key: &ApiKey) -> Vec<(Paint, String)> {
    let time = |at: Option<_>| at.map_or_else(|| "-".to_owned(), format_time);
    let (paint, state) = state(key);
    let text = key.texts.first().map_or("-", |text| text.shown.as_str());
    vec![
        (Paint::Bold, escape(&key.name)),
        (Paint::Plain, key.role.to_string()),
        (
            Paint::Plain,
            escape(key.namespace.as_deref().unwrap_or("every")),
        ),
        (paint, state.to_owned()),
        (Paint::Dim, format!("{}…", escape(text))),
        (Paint::Dim, time(key.last_used_at)),
        (Paint::Dim, time(key.expires_at)),
        (Paint::Dim, key.id.to_string()),
    ]
}

fn state(key: &ApiKey) -> (Paint, &'static str) {
    match (key.accepted, key.revoked_at) {
        (true, _) => (Paint::Green, "accepted"),
        (false, Some(_)) => (Paint::Red, "revoked"),
        (false, None) => (Paint::Yellow, "expired"),
    }
}

async fn show(context: &Context, key: &str) -> Result<Exit, Failure> {
    let client = context.client()?;
    let id = id_of(&client, key).await?;
    let answer = client.get(&format!("/v1/tokens/{id}"), Vec::new()).await?;
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    let key: ApiKey = answer.read()?;
    let terminal = context.terminal;
    let field = |name: &str, value: String| {
        let name = terminal.paint(Paint::Dim, &format!("{name:<10}"));
        terminal.line(&format!("{name} {value}"));
    };
    let time = |at: Option<_>, never: &str| at.map_or_else(|| never.to_owned(), format_time);
    let (paint, state) = state(&key);
    field("key", format!("{} ({})", escape(&key.name), key.id));
    field("may", may(&key));
    field("state", terminal.paint(paint, state));
    let (at, by) = (format_time(key.created_at), escape(&key.created_by));
    field("created", format!("{at} by {by}"));
    field("expires", time(key.expires_at, "never"));
    field("used", time(key.last_used_at, "never"));
    if let (Some(at), Some(by)) = (key.revoked_at, &key.revoked_by) {
        field("revoked", format!("{} by {}", format_time(at), escape(by)));
    }
    for text in &key.texts {
        let until = time(text.valid_until, "the next rotation");
        field("text", format!("{}… until {until}", escape(&text.shown)));
    }
    Ok(Exit::Ok)
}

async fn rotate(context: &Context, args: RotateArgs) -> Result<Exit, Failure> {
    let id = id_of(&context.client()?, &args.key).await?;
    let body = RotateApiKey {
        overlap_ms: args.overlap.map(|overlap| overlap.as_millis() as u64),
    };
    let (path, dry_run) = (format!("/v1/tokens/{id}/rotate"), args.dry_run);
    let answer = dry_run.send(context, Method::POST, &path, &body).await?;
    if !context.prints_json(&answer) {
        let made: CreatedApiKey = answer.read()?;
        print_text(context, dry_run, &made, "has another text");
    }
    Ok(Exit::Ok)
}

async fn revoke(context: &Context, key: &str, dry_run: DryRun) -> Result<Exit, Failure> {
    let id = id_of(&context.client()?, key).await?;
    let body = RevokeApiKey { actor: actor() };
    let path = format!("/v1/tokens/{id}/revoke");
    let answer = dry_run.send(context, Method::POST, &path, &body).await?;
    if !context.prints_json(&answer) {
        let key: ApiKey = answer.read()?;
        dry_run.line(context, &format!("key {} is refused", escape(&key.name)));
    }
    Ok(Exit::Ok)
}

/// Returns the id of a key that is named by its id, or by the name it has while it is
/// accepted.
async fn id_of(client: &Client, key: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = key.parse() {
        return Ok(id);
    }
    let query = vec![
        ("accepted", "true".to_owned()),
        ("name", key.to_owned()),
        ("limit", "1".to_owned()),
    ];
    let found: ApiKeys = client.get("/v1/tokens", query).await?.read()?;
    let found = found.keys.first().map(|key| key.id);
    found.ok_or_else(|| {
        let message = format!(
            "there is no API key `{}` that is accepted; `flowhost token list --all` names all",
            key.escape_debug()
        );
        Failure::new(Exit::NotFound, message)
    })
}
