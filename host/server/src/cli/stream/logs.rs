//! `flowhost logs ID`: what an attempt has logged, up to now or until the execution has ended.

use clap::Args;
use model::ExecutionId;
use serde::Serialize;

use super::follow::{BEGINNING, End, Follower, Told, chosen};
use crate::api::AttemptLog;
use crate::cli::io::{Context, Exit, Failure, escape_lines, interruptible, output_loss, to_stdout};

/// Arguments of `logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost logs ID
  flowhost logs ID --follow
  flowhost --json logs ID --attempt 0

A handler that runs is read every half second. With --json each text is a line of its own.
--follow continues with the next attempt when one ends and the execution does not, waits for
a host that goes away, and ends with the execution; the exit code is that of its outcome.")]
pub struct LogsArgs {
    /// Id of the execution
    id: ExecutionId,
    /// Number of the attempt, from zero [default: the one that began last]
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    /// Show what is logged from now on too, until the execution has ended
    #[arg(long, short = 'f')]
    follow: bool,
    /// Begin behind this place, which was seen last [default: before the first]
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, args: LogsArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let attempt = interruptible(chosen(&client, args.id, args.attempt)).await?;
    let mut follower = Follower {
        context,
        client,
        id: args.id,
        attempt,
        named: args.attempt.is_some(),
        after: args.after.unwrap_or_else(|| BEGINNING.to_owned()),
        told: Log::default(),
    };
    if args.follow {
        return follower.run().await;
    }
    interruptible(async {
        while follower.read(None).await?.more && output_loss().is_none() {}
        follower.told.ended();
        Ok(Exit::Ok)
    })
    .await
}

/// A log, as it is shown.
#[derive(Default)]
struct Log {
    /// Whether the last text ended within a line.
    broken: bool,
}

/// A text, for programs.
#[derive(Serialize)]
struct Shown<'t> {
    attempt: u32,
    cursor: &'t str,
    text: &'t str,
}

impl Told for Log {
    type Page = AttemptLog;
    const LIST: &'static str = "log";
    const LIMIT: Option<&'static str> = None;

    fn show(&mut self, context: &Context, attempt: u32, page: AttemptLog) -> Result<End, Failure> {
        let (text, cursor) = (page.text.as_str(), page.cursor.as_str());
        if let Some(last) = text.chars().last() {
            self.broken = last != '\n' && !context.json;
            if context.json {
                let shown = Shown {
                    attempt,
                    cursor,
                    text,
                };
                context.terminal.json_of(&shown)?;
            } else if context.terminal.live {
                to_stdout(escape_lines(text).as_bytes());
            } else {
                to_stdout(text.as_bytes());
            }
        }
        let told = !text.is_empty();
        Ok(End {
            closed: page.closed_reason.map(|reason| reason.to_string()),
            cursor: told.then_some(page.cursor),
            more: page.more,
        })
    }

    fn ended(&mut self) {
        // The log of the next attempt begins a line.
        if std::mem::take(&mut self.broken) {
            to_stdout(b"\n");
        }
    }
}
