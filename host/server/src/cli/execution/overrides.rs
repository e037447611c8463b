//! `flowhost override`: an operator completes, fails or delays a running execution, or
//! has it wait for its children, instead of the holder of its lease.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use model::{FailureClass, Moment};
use reqwest::Method;
use serde_json::json;

use super::operate::{Which, ask};
use super::wait_children::WaitArgs;
use crate::cli::io::{Context, Exit, Failure, InputArgs};
use crate::duration;

/// What is done to the attempt instead of its holder.
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
    /// Delay a running execution, and end its lease
    Delay {
        #[command(flatten)]
        which: Which,
        /// For how long, such as 90s or 2h
        #[arg(value_parser = duration::parse, required_unless_present = "until")]
        delay: Option<Duration>,
        /// Until this time instead, such as 2030-01-31T12:00:00Z
        #[arg(long, value_name = "TIME", conflicts_with = "delay")]
        until: Option<Moment>,
    },
    /// Have a running execution wait for its children, and end its lease
    WaitChildren {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        wait: WaitArgs,
    },
}

/// Runs the command.
pub async fn run(context: &Context, command: OverrideCommand) -> Result<Exit, Failure> {
    let (verb, which, body) = match command {
        OverrideCommand::Complete { which, result } => {
            let (content_type, data) = result.read()?;
            let data = STANDARD.encode(data);
            let body = json!({"content_type": content_type, "result_base64": data});
            ("complete", which, body)
        }
        OverrideCommand::Fail {
            which,
            class,
            code,
            message,
        } => {
            let body = json!({"class": class, "code": code, "message": message});
            ("fail", which, body)
        }
        OverrideCommand::Delay {
            which,
            delay,
            until,
        } => {
            let delay_ms = delay.map(|it| it.as_millis() as u64);
            let body = json!({"delay_ms": delay_ms, "delay_until": until});
            ("delay", which, body)
        }
        OverrideCommand::WaitChildren { which, wait } => ("wait-children", which, wait.body()),
    };
    ask(context, Method::POST, verb, which, body).await
}
