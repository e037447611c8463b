//! `flowhost waitpoint-key`: keys that waitpoint tokens are signed with.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;

use super::Context;
use super::exit::{Exit, Failure};
use super::input::read_secret;
use super::list::hidden;
use super::terminal::{Paint, neutralise, when};
use crate::api::{
    RetireWaitpointKey, RotateWaitpointKey, RotatedWaitpointKey, WaitpointKey, WaitpointKeys,
};
use crate::duration;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum WaitpointKeyCommand {
    /// List the keys; never their secrets
    List,
    /// Have a new key sign, and accept the old one for a while
    Rotate(RotateArgs),
    /// Have tokens of an old key refused from now on
    Retire {
        /// The key
        kid: String,
    },
}

/// Arguments of `waitpoint-key rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Name of the new key [default: drawn]
    kid: Option<String>,
    /// A file with its secret in hexadecimal digits, - for standard input [default: drawn]
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// How long tokens of the old key are accepted [default: 1d]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    grace: Option<Duration>,
}

/// Runs the command.
pub async fn run(context: &Context, command: WaitpointKeyCommand) -> Result<Exit, Failure> {
    match command {
        WaitpointKeyCommand::List => list(context).await,
        WaitpointKeyCommand::Rotate(args) => rotate(context, args).await,
        WaitpointKeyCommand::Retire { kid } => retire(context, &kid).await,
    }
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let answer = context
        .client()?
        .get("/v1/waitpoint-keys", Vec::new())
        .await?;
    if context.json {
        context.terminal.json(&answer.text());
        return Ok(Exit::Ok);
    }
    let WaitpointKeys { keys, unreadable } = answer.read()?;
    hidden(&unreadable);
    if keys.is_empty() && unreadable.is_empty() {
        context.terminal.line("no keys; the first token makes one");
        return Ok(Exit::Ok);
    }
    let rows: Vec<_> = keys.iter().map(row).collect();
    context
        .terminal
        .table(&["KID", "STATE", "UNTIL", "MADE", "BY"], &rows);
    Ok(Exit::Ok)
}

fn row(key: &WaitpointKey) -> Vec<(Paint, String)> {
    let (paint, state) = match (key.not_after.is_some(), key.accepted) {
        (false, _) => (Paint::Green, "signs"),
        (true, true) => (Paint::Yellow, "accepted"),
        (true, false) => (Paint::Dim, "refused"),
    };
    vec![
        (Paint::Bold, neutralise(&key.kid)),
        (paint, state.to_owned()),
        (
            Paint::Plain,
            key.not_after.map_or_else(|| "-".to_owned(), when),
        ),
        (Paint::Dim, when(key.created_at)),
        (Paint::Dim, neutralise(&key.created_by)),
    ]
}

async fn rotate(context: &Context, args: RotateArgs) -> Result<Exit, Failure> {
    let body = RotateWaitpointKey {
        new_kid: args.kid,
        new_secret_hex: args.secret_file.as_deref().map(read_secret).transpose()?,
        grace_ms: args.grace.map(|grace| grace.as_millis() as u64),
        actor: super::operate::actor(),
    };
    let answer = context
        .client()?
        .send_json(Method::POST, "/v1/waitpoint-keys/rotate", &body)
        .await?;
    if context.json {
        context.terminal.json(&answer.text());
        return Ok(Exit::Ok);
    }
    let rotated: RotatedWaitpointKey = answer.read()?;
    let kid = neutralise(&rotated.kid);
    context
        .terminal
        .line(&match (&*rotated.outcome, &rotated.previous_kid) {
            ("noop", _) => format!("{kid} signs already"),
            (_, Some(previous)) => format!("{kid} signs; {} did before", neutralise(previous)),
            (_, None) => format!("{kid} signs; it is the first"),
        });
    Ok(Exit::Ok)
}

async fn retire(context: &Context, kid: &str) -> Result<Exit, Failure> {
    // A name that is none would make another path.
    model::waitpoint_kid(kid).map_err(|invalid| Failure::usage(invalid.to_string()))?;
    let body = RetireWaitpointKey {
        actor: super::operate::actor(),
    };
    let answer = context
        .client()?
        .send_json(
            Method::POST,
            &format!("/v1/waitpoint-keys/{kid}/retire"),
            &body,
        )
        .await?;
    if context.json {
        context.terminal.json(&answer.text());
    } else {
        context
            .terminal
            .line(&format!("tokens of {kid} are refused"));
    }
    Ok(Exit::Ok)
}
