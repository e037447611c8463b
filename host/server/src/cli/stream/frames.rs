//! `flowhost stream ID`: what an attempt has appended to its stream, up to now or until the
//! execution has ended.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use model::ExecutionId;
use serde::Serialize;

use super::follow::{BEGINNING, End, Follower, Told, chosen};
use crate::api::{StreamFrame, StreamFrames, StreamSummary};
use crate::cli::io::{
    Client, Context, Exit, Failure, Paint, escape, escape_lines, format_bytes, interruptible,
    output_loss, to_stderr, to_stdout,
};

/// Arguments of `stream`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost stream ID
  flowhost stream ID --follow
  flowhost stream ID --follow --raw
  flowhost stream ID --attempt 0 --from 1900000000000 --to 1900000060000
  flowhost stream ID --summary

With --json each frame is a line of its own. --follow continues with the next attempt when
one ends and the execution does not, waits for a host that goes away, and ends with the
execution; the exit code is that of its outcome. --raw writes the payloads of durable and
best_effort frames and nothing between them, on a terminal escaped.")]
pub struct StreamArgs {
    /// Id of the execution
    id: ExecutionId,
    /// Number of the attempt, from zero [default: the one that began last]
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    /// Show what is appended from now on too, until the execution has ended
    #[arg(long, short = 'f', conflicts_with_all = ["from", "to", "summary"])]
    follow: bool,
    /// Begin with this frame, or at this time in milliseconds since 1970 [default: start]
    #[arg(long, value_name = "CURSOR")]
    from: Option<String>,
    /// End with this frame, or at this time in milliseconds since 1970 [default: end]
    #[arg(long, value_name = "CURSOR")]
    to: Option<String>,
    /// Begin behind this frame, which was seen last [default: before the first]
    #[arg(long, value_name = "CURSOR", requires = "follow")]
    after: Option<String>,
    /// Write the payloads alone
    #[arg(long, conflicts_with = "summary")]
    raw: bool,
    /// Print the document that the summary frames of the attempt are merged into
    #[arg(long)]
    summary: bool,
}

/// Most frames of one request.
const PAGE: &str = "1000";

/// Runs the command.
pub async fn run(context: &Context, args: StreamArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let attempt = interruptible(chosen(&client, args.id, args.attempt)).await?;
    let told = Frames {
        raw: args.raw && !context.json,
        broken: false,
    };
    if args.follow {
        let follower = Follower {
            context,
            client,
            id: args.id,
            attempt,
            named: args.attempt.is_some(),
            after: args.after.unwrap_or_else(|| BEGINNING.to_owned()),
            told,
        };
        return follower.run().await;
    }
    let path = format!("/v1/executions/{}/attempts/{attempt}/stream", args.id);
    match args.summary {
        true => interruptible(summary(context, &client, &path)).await,
        false => {
            let (from, to) = (args.from.as_deref(), args.to.as_deref());
            let range = range(context, &client, &path, attempt, told, (from, to));
            interruptible(range).await
        }
    }
}

/// Shows the frames of a range, page by page.
async fn range(
    context: &Context,
    client: &Client,
    path: &str,
    attempt: u32,
    mut told: Frames,
    (from, to): (Option<&str>, Option<&str>),
) -> Result<Exit, Failure> {
    let mut from = from.unwrap_or("start").to_owned();
    while output_loss().is_none() {
        let query = vec![
            ("from", from),
            ("to", to.unwrap_or("end").to_owned()),
            ("limit", PAGE.to_owned()),
        ];
        let page: StreamFrames = client.get(path, query).await?.read()?;
        let next = page.next_cursor.clone();
        told.show(context, attempt, page)?;
        match next {
            Some(next) => from = next,
            None => break,
        }
    }
    told.ended();
    Ok(Exit::Ok)
}

/// Prints the summary.
async fn summary(context: &Context, client: &Client, path: &str) -> Result<Exit, Failure> {
    let answer = client.get(&format!("{path}/summary"), Vec::new()).await?;
    context.answered(&answer, |summary: StreamSummary| {
        if summary.version == 0 {
            to_stderr("the attempt has no summary");
        } else {
            context.terminal.json(summary.document.get());
        }
    })
}

/// Frames, as they are shown.
struct Frames {
    /// Whether payloads alone are written.
    raw: bool,
    /// Whether the last payload that was written alone ended within a line.
    broken: bool,
}

/// A frame, for programs.
#[derive(Serialize)]
struct Shown<'f> {
    attempt: u32,
    #[serde(flatten)]
    frame: &'f StreamFrame,
}

impl Told for Frames {
    type Page = StreamFrames;
    const LIST: &'static str = "stream";
    const LIMIT: Option<&'static str> = Some(PAGE);

    fn show(
        &mut self,
        context: &Context,
        attempt: u32,
        page: StreamFrames,
    ) -> Result<End, Failure> {
        for frame in &page.frames {
            if context.json {
                context.terminal.json_of(&Shown { attempt, frame })?;
            } else if self.raw {
                self.write(context, frame)?;
            } else {
                context.line(&line(context, frame)?);
            }
        }
        Ok(End {
            cursor: page.frames.last().map(|frame| frame.id.clone()),
            more: page.next_cursor.is_some(),
            closed: page.closed_reason.map(|reason| reason.to_string()),
        })
    }

    fn ended(&mut self) {
        // What is written to the terminal next begins a line.
        if std::mem::take(&mut self.broken) {
            let _ = std::io::stderr().write_all(b"\n");
        }
    }
}

impl Frames {
    /// Writes the payload of a frame alone, as it is for programs, escaped on a terminal.
    fn write(&mut self, context: &Context, frame: &StreamFrame) -> Result<(), Failure> {
        if field(frame, "mode") == "durable_summary" {
            return Ok(());
        }
        let payload = payload(frame)?;
        if !context.terminal.live {
            to_stdout(&payload);
            return Ok(());
        }
        let text = escape_lines(&String::from_utf8_lossy(&payload));
        if let Some(last) = text.chars().last() {
            self.broken = last != '\n';
        }
        to_stdout(text.as_bytes());
        Ok(())
    }
}

fn field<'f>(frame: &'f StreamFrame, name: &str) -> &'f str {
    frame.fields.get(name).map_or("", String::as_str)
}

/// Returns the bytes of a payload, as they were appended.
fn payload(frame: &StreamFrame) -> Result<Vec<u8>, Failure> {
    let text = field(frame, "payload");
    if field(frame, "encoding") != "base64" {
        return Ok(text.as_bytes().to_vec());
    }
    STANDARD.decode(text).map_err(|error| {
        let message = format!("the payload of frame {} is not base64: {error}", frame.id);
        Failure::new(Exit::Fault, message)
    })
}

/// Lays out a frame: its id, what it is, and its payload if that is text.
fn line(context: &Context, frame: &StreamFrame) -> Result<String, Failure> {
    let terminal = context.terminal;
    let id = terminal.paint(Paint::Dim, &escape(&frame.id));
    let name = terminal.paint(Paint::Bold, &escape(field(frame, "frame_type")));
    let mut line = format!("{id}  {name}");
    for (name, shown) in [("mode", "mode"), ("correlation_id", "for")] {
        let value = field(frame, name);
        if !value.is_empty() && value != "durable" {
            line.push_str(&format!("  {shown}={}", escape(value)));
        }
    }
    let payload = match field(frame, "encoding") {
        "base64" => format!("({})", format_bytes(payload(frame)?.len() as u64)),
        _ => escape(field(frame, "payload")),
    };
    line.push_str(&format!("  {payload}"));
    line.truncate(line.trim_end().len());
    Ok(line)
}
