//! `flowhost waitpoint-key`: lists, seeds, rotates and retires the keys that sign
//! waitpoint tokens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;

use crate::api::{
    RetireWaitpointKey, RotateWaitpointKey, RotatedWaitpointKey, SeedWaitpointKey,
    SeededWaitpointKey, WaitpointKey, WaitpointKeys,
};
use crate::cli::io::{
    Context, DryRun, Exit, Failure, PageArgs, Paint, actor, escape, format_time, read_secret,
};
use crate::duration;

/// What is done to keys.
#[derive(Debug, Subcommand)]
pub enum WaitpointKeyCommand {
    /// List the keys; never their secrets
    List(PageArgs),
    /// Create the first key, with a secret of your own
    Seed {
        /// Id of the key
        kid: String,
        /// A file with its secret in hexadecimal digits, - for standard input [default: random]
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        #[command(flatten)]
        dry_run: DryRun,
    },
    /// Sign with a new key, and accept tokens of the old one for a while
    Rotate(RotateArgs),
    /// Refuse tokens of an old key from now on
    Retire {
        /// Id of the key
        kid: String,
        #[command(flatten)]
        dry_run: DryRun,
    },
}

/// Arguments of `waitpoint-key rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Id of the new key [default: random]
    kid: Option<String>,
    /// A file with its secret in hexadecimal digits, - for standard input [default: random]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// How long tokens of the old key are accepted [default: 1d]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    grace: Option<Duration>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Runs the command.
pub async fn run(context: &Context, command: WaitpointKeyCommand) -> Result<Exit, Failure> {
    match command {
        WaitpointKeyCommand::List(page) => list(context, page).await,
        WaitpointKeyCommand::Seed {
            kid,
            secret_file,
            dry_run,
        } => seed(context, kid, secret_file.as_deref(), dry_run).await,
        WaitpointKeyCommand::Rotate(args) => rotate(context, args).await,
        WaitpointKeyCommand::Retire { kid, dry_run } => retire(context, &kid, dry_run).await,
    }
}

async fn list(context: &Context, page: PageArgs) -> Result<Exit, Failure> {
    let show = |page: &WaitpointKeys| {
        if page.keys.is_empty() && page.unreadable.is_empty() {
            context.line("no keys; the first token creates one");
            return;
        }
        let rows: Vec<_> = page.keys.iter().map(row).collect();
        let header = ["KID", "STATE", "UNTIL", "CREATED", "BY"];
        context.terminal.table(&header, &rows);
    };
    page.show(context, "/v1/waitpoint-keys", Vec::new(), "", show)
        .await
}

fn row(key: &WaitpointKey) -> Vec<(Paint, String)> {
    let (paint, state) = match (key.not_after.is_some(), key.accepted) {
        (false, _) => (Paint::Green, "signs"),
        (true, true) => (Paint::Yellow, "accepted"),
        (true, false) => (Paint::Dim, "refused"),
    };
    vec![
        (Paint::Bold, escape(&key.kid)),
        (paint, state.to_owned()),
        (
            Paint::Plain,
            key.not_after.map_or_else(|| "-".to_owned(), format_time),
        ),
        (Paint::Dim, format_time(key.created_at)),
        (Paint::Dim, escape(&key.created_by)),
    ]
}

async fn seed(
    context: &Context,
    kid: String,
    secret: Option<&Path>,
    dry_run: DryRun,
) -> Result<Exit, Failure> {
    let body = SeedWaitpointKey {
        kid,
        secret_hex: secret.map(read_secret).transpose()?,
        actor: actor(),
    };
    let path = "/v1/waitpoint-keys/seed";
    let say = |seeded: SeededWaitpointKey| {
        let kid = escape(&seeded.kid);
        match seeded.same_secret {
            None => format!("{kid} signs; it is the first"),
            Some(true) => format!("{kid} signs already, with this secret"),
            Some(false) => format!("nothing was done: {kid} signs already, and is another key"),
        }
    };
    dry_run.ask(context, Method::POST, path, &body, say).await
}

async fn rotate(context: &Context, args: RotateArgs) -> Result<Exit, Failure> {
    let body = RotateWaitpointKey {
        new_kid: args.kid,
        new_secret_hex: args.secret_file.as_deref().map(read_secret).transpose()?,
        grace_ms: args.grace.map(|grace| grace.as_millis() as u64),
        actor: actor(),
    };
    let path = "/v1/waitpoint-keys/rotate";
    let say = |rotated: RotatedWaitpointKey| {
        let kid = escape(&rotated.kid);
        match (&*rotated.outcome, &rotated.previous_kid) {
            ("noop", _) => format!("{kid} signs already"),
            (_, Some(previous)) => format!("{kid} signs; {} did before", escape(previous)),
            (_, None) => format!("{kid} signs; it is the first"),
        }
    };
    args.dry_run
        .ask(context, Method::POST, path, &body, say)
        .await
}

async fn retire(context: &Context, kid: &str, dry_run: DryRun) -> Result<Exit, Failure> {
    // An id that is not valid could lead to another path.
    model::waitpoint_kid(kid).map_err(|invalid| Failure::usage(invalid.to_string()))?;
    let body = RetireWaitpointKey { actor: actor() };
    let path = format!("/v1/waitpoint-keys/{kid}/retire");
    let say = |_: WaitpointKey| format!("tokens of {kid} are refused");
    dry_run.ask(context, Method::POST, &path, &body, say).await
}
