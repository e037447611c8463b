//! What operators ask of an execution: `replay`, `hold`, `unhold`, `priority`,
//! `revoke`, `resume`, `expire`, `block`, `unblock`, `tag`, and `override` for what only
//! its holder may do otherwise. Who asks is kept with the execution.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use model::{AlreadySatisfied, BlockingReason, ExecutionId, FailureClass, LeaseId};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Context;
use super::client::Answer;
use super::exit::{Exit, Failure};
use super::input::InputArgs;
use super::terminal::{Paint, neutralise};
use crate::api::{Execution, RevokedExecution, Tags};

/// Which execution, and why.
#[derive(Debug, Args)]
pub struct Which {
    /// The execution
    id: ExecutionId,
    /// Why, for people; kept with the execution
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Arguments of `priority`.
#[derive(Debug, Args)]
pub struct PriorityArgs {
    #[command(flatten)]
    which: Which,
    /// 0 to 9000; a higher one is served first
    priority: u16,
}

/// Arguments of `revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    #[command(flatten)]
    which: Which,
    /// Only this lease
    #[arg(long, value_name = "ID")]
    lease: Option<LeaseId>,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    #[command(flatten)]
    which: Which,
    /// Not before so long from now, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    delay: Option<std::time::Duration>,
}

/// Arguments of `block`.
#[derive(Debug, Args)]
pub struct BlockArgs {
    #[command(flatten)]
    which: Which,
    /// What it shall wait for, such as waiting_for_quota or paused_by_policy
    blocking_reason: BlockingReason,
    /// More on that
    #[arg(long, value_name = "TEXT")]
    detail: Option<String>,
}

/// Arguments of `unblock`.
#[derive(Debug, Args)]
pub struct UnblockArgs {
    #[command(flatten)]
    which: Which,
    /// Only if it waits for this
    #[arg(long, value_name = "REASON")]
    expect: Option<BlockingReason>,
}

/// Arguments of `tag`.
#[derive(Debug, Args)]
pub struct TagArgs {
    #[command(flatten)]
    which: Which,
    /// owner.name=value sets a label, owner.name- removes it; none shows them
    #[arg(value_name = "LABEL")]
    labels: Vec<String>,
}

/// Verbs of a holder, done by an operator.
#[derive(Debug, Subcommand)]
pub enum OverrideCommand {
    /// Finish a running execution with a result
    Complete {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        result: InputArgs,
    },
    /// End the attempt of a running execution as failed
    Fail {
        #[command(flatten)]
        which: Which,
        /// transient, permanent, infra_crash, timeout or cancelled
        #[arg(long, default_value = "permanent")]
        class: FailureClass,
        /// A stable name for programs
        #[arg(long, default_value = "failed_by_operator")]
        code: String,
        /// A sentence for people
        message: String,
    },
    /// Put a running execution down for a while
    Delay {
        #[command(flatten)]
        which: Which,
        /// For how long, such as 90s or 2h
        #[arg(value_parser = crate::duration::parse)]
        delay: std::time::Duration,
    },
}

/// Returns who asks: the user of this process.
pub fn actor() -> Option<String> {
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|name| (1..=255).contains(&name.len()))
}

/// Runs a verb that takes nothing but the execution.
pub async fn plain(context: &Context, verb: &str, which: Which) -> Result<Exit, Failure> {
    ask(context, Method::POST, verb, which, Map::new()).await
}

/// Runs `priority`.
pub async fn priority(context: &Context, args: PriorityArgs) -> Result<Exit, Failure> {
    let fields = fields([("priority", args.priority)]);
    ask(context, Method::PUT, "priority", args.which, fields).await
}

/// Runs `revoke`.
pub async fn revoke(context: &Context, args: RevokeArgs) -> Result<Exit, Failure> {
    let fields = fields([("expected_lease_id", args.lease)]);
    let Some(answer) = send(context, Method::POST, "revoke-lease", args.which, fields).await?
    else {
        return Ok(Exit::Ok);
    };
    let revoked: RevokedExecution = answer.read()?;
    let how = match revoked.already {
        None => "revoked",
        Some(AlreadySatisfied::AlreadyRevoked) => "was revoked before",
        Some(AlreadySatisfied::AlreadyExpired) => "had expired before",
    };
    let line = format!(
        "lease {} (epoch {}): {how}",
        revoked.lease_id, revoked.epoch
    );
    context.terminal.line(&line);
    Ok(Exit::Ok)
}

/// Runs `resume`.
pub async fn resume(context: &Context, args: ResumeArgs) -> Result<Exit, Failure> {
    let fields = fields([("delay_ms", args.delay.map(|it| it.as_millis() as u64))]);
    ask(context, Method::POST, "resume", args.which, fields).await
}

/// Runs `block`.
pub async fn block(context: &Context, args: BlockArgs) -> Result<Exit, Failure> {
    let mut fields = fields([("detail", args.detail)]);
    fields.extend(self::fields([("blocking_reason", args.blocking_reason)]));
    ask(context, Method::POST, "block", args.which, fields).await
}

/// Runs `unblock`.
pub async fn unblock(context: &Context, args: UnblockArgs) -> Result<Exit, Failure> {
    let fields = fields([("expected_reason", args.expect)]);
    ask(context, Method::POST, "unblock", args.which, fields).await
}

/// Runs `override`.
pub async fn overrule(context: &Context, command: OverrideCommand) -> Result<Exit, Failure> {
    match command {
        OverrideCommand::Complete { which, result } => {
            use base64::Engine as _;
            let (content_type, data) = result.read()?;
            let data = base64::engine::general_purpose::STANDARD.encode(data);
            let fields = fields([("content_type", content_type), ("result_base64", data)]);
            ask(context, Method::POST, "complete", which, fields).await
        }
        OverrideCommand::Fail {
            which,
            class,
            code,
            message,
        } => {
            let class = class.to_string();
            let fields = fields([("class", class), ("code", code), ("message", message)]);
            ask(context, Method::POST, "fail", which, fields).await
        }
        OverrideCommand::Delay { which, delay } => {
            let fields = fields([("delay_ms", delay.as_millis() as u64)]);
            ask(context, Method::POST, "delay", which, fields).await
        }
    }
}

/// Runs `tag`.
pub async fn tag(context: &Context, args: TagArgs) -> Result<Exit, Failure> {
    let path = format!("/v1/executions/{}/tags", args.which.id);
    let client = context.client()?;
    let answer = if args.labels.is_empty() {
        client.get(&path, Vec::new()).await?
    } else {
        let tags = args
            .labels
            .iter()
            .map(|label| read_label(label))
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        let body = body(args.which.reason, fields([("tags", tags)]));
        client.send_json(Method::PATCH, &path, &body).await?
    };
    if context.json {
        context.terminal.json(&answer.text());
        return Ok(Exit::Ok);
    }
    for (key, value) in answer.read::<Tags>()?.tags {
        let line = format!("{}={}", neutralise(&key), neutralise(&value));
        context.terminal.line(&line);
    }
    Ok(Exit::Ok)
}

/// Reads `key=value` or `key-`.
fn read_label(label: &str) -> Result<(String, Option<String>), Failure> {
    if let Some((key, value)) = label.split_once('=') {
        return Ok((key.to_owned(), Some(value.to_owned())));
    }
    match label.strip_suffix('-') {
        Some(key) => Ok((key.to_owned(), None)),
        None => Err(Failure::usage(format!(
            "`{label}` is neither owner.name=value nor owner.name-"
        ))),
    }
}

/// Returns the fields of a body; what is absent is not sent.
pub fn fields<T: Serialize, const N: usize>(pairs: [(&str, T); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), serde_json::to_value(value).ok()?)))
        .filter(|(_, value)| !value.is_null())
        .collect()
}

fn body(reason: Option<String>, mut body: Map<String, Value>) -> Map<String, Value> {
    body.extend(fields([("actor", actor()), ("reason", reason)]));
    body
}

/// Asks for a verb; shows the answer to programs, and returns it to be shown to people.
async fn send(
    context: &Context,
    method: Method,
    verb: &str,
    which: Which,
    fields: Map<String, Value>,
) -> Result<Option<Answer>, Failure> {
    let path = format!("/v1/executions/{}/{verb}", which.id);
    let body = body(which.reason, fields);
    let answer = context.client()?.send_json(method, &path, &body).await?;
    if context.json {
        context.terminal.json(&answer.text());
        return Ok(None);
    }
    Ok(Some(answer))
}

/// Asks for a verb that answers with the execution.
async fn ask(
    context: &Context,
    method: Method,
    verb: &str,
    which: Which,
    fields: Map<String, Value>,
) -> Result<Exit, Failure> {
    let Some(answer) = send(context, method, verb, which, fields).await? else {
        return Ok(Exit::Ok);
    };
    let info: Execution = answer.read()?;
    let state = context.terminal.paint(
        Paint::of_state(info.public_state),
        info.public_state.as_str(),
    );
    let line = match info.blocking_reason {
        BlockingReason::None => format!("{} is {state}", info.id),
        reason => format!("{} is {state} ({reason})", info.id),
    };
    context.terminal.line(&line);
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_set_and_removed() {
        let set = read_label("app.a=b=c").expect("sets");
        assert_eq!(set, ("app.a".to_owned(), Some("b=c".to_owned())));
        assert_eq!(read_label("app.a-").expect("removes").1, None);
        assert!(read_label("app.a").is_err());
    }

    #[test]
    fn what_is_absent_is_not_sent() {
        let fields = fields([("a", None), ("b", Some(1))]);
        assert_eq!(fields.len(), 1);
    }
}
