//! `flowhost lease`: what a native worker does with leases, by hand; and the leases that
//! have expired.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use model::{ExecutionId, FailureClass, FrameEncoding, FrameMode};
use reqwest::Method;
use serde_json::{Value, json};

use super::command::path;
use crate::api::{ClaimedExecution, ClaimedWork, ExpiredLease, ExpiredLeases, LeaseOutcome};
use crate::cli::execution::WaitArgs;
use crate::cli::flow::{self, StartChildrenArgs};
use crate::cli::io::{
    Context, Exit, Failure, InputArgs, PageArgs, Paint, escape, format_time, present, read_stdin,
};
use crate::duration;

/// What is done with leases.
#[derive(Debug, Subcommand)]
pub enum LeaseCommand {
    /// Claim executions for a worker, each under a lease
    Claim(ClaimArgs),
    /// Extend a lease
    Renew {
        /// The lease, as it was claimed
        lease: String,
        #[command(flatten)]
        ttl: LeaseTtl,
    },
    /// Report progress
    Progress {
        /// The lease, as it was claimed
        lease: String,
        /// Progress in percent, 0 to 100
        #[arg(long, value_name = "N")]
        percent: Option<u8>,
        /// A sentence for people
        #[arg(long, value_name = "TEXT")]
        message: Option<String>,
    },
    /// Append a frame to the stream of the attempt
    Append(AppendArgs),
    /// Finish the execution with a result
    Complete {
        /// The lease, as it was claimed
        lease: String,
        #[command(flatten)]
        result: InputArgs,
    },
    /// End the attempt as failed; the policy decides whether there is another
    Fail {
        /// The lease, as it was claimed
        lease: String,
        /// transient, permanent, infra_crash, timeout or cancelled
        #[arg(long, default_value = "transient")]
        class: FailureClass,
        /// A stable name for programs
        #[arg(long)]
        code: String,
        /// A sentence for people
        #[arg(default_value = "")]
        message: String,
    },
    /// Continue the same attempt later
    Delay {
        /// The lease, as it was claimed
        lease: String,
        /// For how long, such as 90s or 2h
        #[arg(value_parser = duration::parse)]
        delay: Duration,
    },
    /// Start executions as children of the one that is held
    StartChildren(StartChildrenArgs),
    /// Continue the same attempt when its children have ended
    WaitChildren {
        /// The lease, as it was claimed
        lease: String,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// List children of the execution, and results that edges of its flow pass to it
    Results {
        /// The lease, as it was claimed
        lease: String,
    },
    /// Print the result of a child, or one that an edge passes
    Result {
        /// The lease, as it was claimed
        lease: String,
        /// The execution whose result it is
        execution: ExecutionId,
    },
    /// Return the execution to its queue, for any worker
    Release {
        /// The lease, as it was claimed
        lease: String,
    },
    /// End the execution as cancelled
    Cancel {
        /// The lease, as it was claimed
        lease: String,
        /// Why, in words for people
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// List leases that have expired and were not reclaimed yet
    Expired(ExpiredArgs),
}

/// Arguments of `lease append`.
#[derive(Debug, Args)]
pub struct AppendArgs {
    /// The lease, as it was claimed
    lease: String,
    /// What kind of frame it is, for its readers
    #[arg(long = "type", value_name = "NAME")]
    frame_type: String,
    /// durable, durable_summary (the payload is a merge patch) or best_effort
    #[arg(long, default_value = "durable")]
    mode: FrameMode,
    /// How long frames of best_effort can be read, up to 1h [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    ttl: Option<Duration>,
    /// What the frame belongs to, such as a request
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
    /// A file that is the payload [default: standard input]
    #[arg(long, short, value_name = "FILE", conflicts_with = "input")]
    file: Option<PathBuf>,
    /// The payload itself, as text
    #[arg(long, short, value_name = "TEXT")]
    input: Option<String>,
}

impl AppendArgs {
    /// Builds the body of the request: a payload that is not text travels as base64.
    fn body(self) -> Result<Value, Failure> {
        let bytes = match (self.input, &self.file) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(path)) => {
                std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?
            }
            (None, None) => read_stdin()?,
        };
        let (encoding, payload) = match String::from_utf8(bytes) {
            Ok(text) => (FrameEncoding::Utf8, text),
            Err(error) => (FrameEncoding::Base64, STANDARD.encode(error.as_bytes())),
        };
        let ttl_ms = self
            .ttl
            .map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        Ok(json!({
            "lease": self.lease,
            "frame_type": self.frame_type,
            "mode": self.mode,
            "ttl_ms": ttl_ms,
            "correlation_id": self.correlation_id,
            "encoding": encoding,
            "payload": payload,
        }))
    }
}

/// How long a lease lasts.
#[derive(Debug, Clone, Copy, Args)]
pub struct LeaseTtl {
    /// How long the lease lasts unless it is renewed, 1s to 1h
    #[arg(long = "ttl", value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    ttl: Duration,
}

impl LeaseTtl {
    /// Returns it in milliseconds.
    pub fn ms(self) -> u32 {
        u32::try_from(self.ttl.as_millis()).unwrap_or(u32::MAX)
    }
}

/// Arguments of `lease claim`.
#[derive(Debug, Args)]
pub struct ClaimArgs {
    /// Name of the worker instance that will hold the leases
    instance: String,
    /// A kind that it can run; may repeat
    #[arg(long = "kind", value_name = "KIND", required = true)]
    kinds: Vec<String>,
    /// A lane to take from; may repeat [default: all]
    #[arg(long = "lane", value_name = "LANE")]
    lanes: Vec<String>,
    /// A capability of the worker; may repeat
    #[arg(long = "capability", value_name = "NAME")]
    capabilities: Vec<String>,
    /// Most executions to claim, 1 to 100
    #[arg(long, value_name = "N", default_value_t = 1)]
    max: u32,
    /// Longest to wait for work, up to 30s
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    wait: Duration,
    #[command(flatten)]
    ttl: LeaseTtl,
}

/// Arguments of `lease expired`.
#[derive(Debug, Args)]
pub struct ExpiredArgs {
    /// Only those of executions in this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

/// Runs the command.
pub async fn run(context: &Context, command: LeaseCommand) -> Result<Exit, Failure> {
    let (verb, body) = match command {
        LeaseCommand::Claim(args) => return claim(context, args).await,
        LeaseCommand::Expired(args) => return expired(context, args).await,
        LeaseCommand::Renew { lease, ttl } => {
            ("renew", json!({"lease": lease, "lease_ttl_ms": ttl.ms()}))
        }
        LeaseCommand::Progress {
            lease,
            percent,
            message,
        } => {
            let body = json!({"lease": lease, "percent": percent, "message": message});
            ("progress", body)
        }
        LeaseCommand::Append(args) => ("frames", args.body()?),
        LeaseCommand::Complete { lease, result } => {
            let (content_type, data) = result.read()?;
            let data = STANDARD.encode(data);
            let body = json!({"lease": lease, "content_type": content_type, "result_base64": data});
            ("complete", body)
        }
        LeaseCommand::Fail {
            lease,
            class,
            code,
            message,
        } => {
            let body = json!({"lease": lease, "class": class, "code": code, "message": message});
            ("fail", body)
        }
        LeaseCommand::Delay { lease, delay } => {
            let body = json!({"lease": lease, "delay_ms": delay.as_millis() as u64});
            ("delay", body)
        }
        LeaseCommand::StartChildren(args) => return flow::start(context, args).await,
        LeaseCommand::Results { lease } => return flow::results(context, &lease).await,
        LeaseCommand::Result { lease, execution } => {
            return flow::result(context, &lease, execution).await;
        }
        LeaseCommand::WaitChildren { lease, wait } => {
            let mut body = wait.body();
            body["lease"] = lease.into();
            ("wait-children", body)
        }
        LeaseCommand::Release { lease } => ("release", json!({"lease": lease})),
        LeaseCommand::Cancel { lease, reason } => {
            ("cancel", json!({"lease": lease, "reason": reason}))
        }
    };
    report(context, verb, body).await
}

/// Sends what a holder reports, and shows the effect.
async fn report(context: &Context, verb: &str, body: Value) -> Result<Exit, Failure> {
    let path = format!("/v1/leases/{verb}");
    let (client, body) = (context.client()?, present(body));
    let answer = client.send_json(Method::POST, &path, &body).await?;
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    let done: LeaseOutcome = answer.read()?;
    let effect: Value = answer.read()?;
    let effect = effect["outcome"].as_str().unwrap_or_default();
    let mut line = format!("{}: {}", done.id, escape(effect));
    if let Some(at) = done.lease_expires_at {
        line.push_str(&format!(" until {}", format_time(at)));
    }
    if let Some(at) = done.due_at {
        line.push_str(&format!(", due {}", format_time(at)));
    }
    if let (Some(id), Some(count)) = (&done.entry_id, done.frame_count) {
        line.push_str(&format!(" {}, frame {count} of the stream", escape(id)));
    }
    context.line(&line);
    Ok(Exit::Ok)
}

async fn claim(context: &Context, args: ClaimArgs) -> Result<Exit, Failure> {
    let body = json!({
        "kinds": args.kinds,
        "lanes": args.lanes,
        "capabilities": args.capabilities,
        "max": args.max,
        "lease_ttl_ms": args.ttl.ms(),
        "wait_ms": u32::try_from(args.wait.as_millis()).unwrap_or(u32::MAX),
    });
    let path = format!("{}/claim", path(&args.instance));
    let client = context.client()?;
    let answer = client.send_json(Method::POST, &path, &body).await?;
    context.answered(&answer, |claimed: ClaimedWork| {
        if claimed.executions.is_empty() {
            context.line("nothing is ready");
        }
        for execution in &claimed.executions {
            claimed_lines(context, execution);
        }
    })
}

/// Shows an execution that was claimed, and the lease it is held under.
pub(super) fn claimed_lines(context: &Context, claimed: &ClaimedExecution) {
    let until = format_time(claimed.lease_expires_at);
    let kind = context.terminal.paint(Paint::Bold, &escape(&claimed.kind));
    context.line(&format!("{} {kind}, leased until {until}", claimed.id));
    context.line(&escape(&claimed.lease));
}

async fn expired(context: &Context, args: ExpiredArgs) -> Result<Exit, Failure> {
    let within = context
        .namespace(args.namespace)
        .map(|it| ("namespace", it));
    let within = within.into_iter().collect();
    let none = "no lease has expired; every host reclaims them once a second";
    let header = ["EXECUTION", "NAMESPACE", "WORKER", "ATTEMPT", "EXPIRED"];
    let show = |page: &ExpiredLeases| context.rows(&page.leases, none, &header, expired_row);
    let path = "/v1/leases/expired";
    args.page.show(context, path, within, "", show).await
}

fn expired_row(expired: &ExpiredLease) -> Vec<(Paint, String)> {
    let lease = &expired.lease;
    vec![
        (Paint::Plain, expired.execution_id.to_string()),
        (Paint::Plain, escape(&expired.namespace)),
        (Paint::Bold, escape(&lease.worker_instance_id)),
        (Paint::Plain, lease.attempt.to_string()),
        (Paint::Dim, format_time(lease.expires_at)),
    ]
}
