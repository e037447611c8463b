//! `flowhost batch FILE`: creates an execution for each line of a file, many at once.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal as _, Read as _};
use std::path::PathBuf;

use clap::Args;
use reqwest::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::api::{BatchResults, BatchVerdict};
use crate::cli::io::{
    Client, Context, DryRun, Exit, Failure, Request, escape, interruptible, to_stderr,
};

/// Most lines of one request.
const LINES_MAX: usize = 1000;
/// A request takes no more lines after so many bytes; hosts accept 16 times as many unless
/// configured otherwise.
const BYTES: usize = 1 << 20;
/// Longest line; hosts accept no longer one.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Refused lines that are named to people; the others are counted.
const NAMED_MAX: u64 = 20;

/// Arguments of `batch`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each line is a JSON object as POST /v1/executions takes it, such as
  {\"kind\": \"echo\", \"input\": {\"n\": 1}, \"idempotency_key\": \"order-1\"}
Lines are created or refused each on their own. With --json the verdict on each line is a
line of the output. With a key in each line, the command is safe to repeat.")]
pub struct BatchArgs {
    /// The file, - for standard input
    file: PathBuf,
    /// Skip so many lines, such as those that an earlier run sent
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,
    #[command(flatten)]
    dry_run: DryRun,
}

/// What became of the lines so far.
#[derive(Debug, Default)]
struct Counts {
    lines: u64,
    created: u64,
    existed: u64,
    refused: u64,
}

/// Lines of one request.
#[derive(Debug, Default)]
struct Chunk {
    lines: Vec<Line>,
    bytes: usize,
}

/// A line of the file.
#[derive(Debug)]
enum Line {
    /// Without anything on it.
    Blank,
    /// A value in JSON, which the host reads.
    Json(Box<RawValue>),
    /// Something else; why it cannot be read.
    Malformed(String),
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    executions: Vec<&'a RawValue>,
}

/// Runs the command.
pub async fn run(context: &Context, args: BatchArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let mut input = open(&args.file)?;
    let mut counts = Counts::default();
    let failed = |error| Failure::file("read", &args.file, &error);
    while counts.lines < args.skip {
        if read_line(&mut input).map_err(failed)?.is_none() {
            break;
        }
        counts.lines += 1;
    }
    loop {
        let chunk = Chunk::read(&mut input).map_err(failed)?;
        if chunk.lines.is_empty() {
            break;
        }
        let sent = interruptible(send(&client, &chunk, args.dry_run)).await;
        let verdicts = sent.map_err(|failure| after(failure, &counts))?;
        for verdict in verdicts {
            counts.count(context, verdict.as_ref())?;
        }
        if std::io::stderr().is_terminal() {
            to_stderr(&counts.sentence());
        }
    }
    if !context.json {
        args.dry_run.line(context, &counts.sentence());
    }
    Ok(match counts.refused {
        0 => Exit::Ok,
        _ => Exit::Partial,
    })
}

fn open(path: &PathBuf) -> Result<Box<dyn BufRead>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Reads a line; `None` after the last one.
fn read_line(input: &mut Box<dyn BufRead>) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    input.take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    Ok((!line.is_empty()).then_some(line))
}

impl Chunk {
    /// Reads the lines of the next request.
    fn read(input: &mut Box<dyn BufRead>) -> std::io::Result<Self> {
        let mut chunk = Self::default();
        while chunk.lines.len() < LINES_MAX && chunk.bytes < BYTES {
            let Some(line) = read_line(input)? else { break };
            chunk.bytes += line.len();
            chunk.lines.push(match line.trim_ascii() {
                b"" => Line::Blank,
                text => match serde_json::from_slice(text) {
                    Ok(value) => Line::Json(value),
                    Err(error) => Line::Malformed(error.to_string()),
                },
            });
        }
        Ok(chunk)
    }
}

/// Sends the lines that are JSON, and returns the verdict on each line; `None` on a blank
/// one.
async fn send(
    client: &Client,
    chunk: &Chunk,
    dry_run: DryRun,
) -> Result<Vec<Option<BatchVerdict>>, Failure> {
    let body = Body::of(chunk);
    let mut answered = Vec::new();
    if !body.executions.is_empty() {
        let request = Request {
            query: dry_run.query(),
            ..Request::json(&body)?
        };
        let path = "/v1/executions/batch";
        let answer = client.send(Method::POST, path, request).await?;
        answered = answer.read::<BatchResults>()?.results;
    }
    let mut answered = answered.into_iter();
    let verdict = |line: &Line| match line {
        Line::Blank => Ok(None),
        Line::Malformed(why) => Ok(Some(malformed(why))),
        Line::Json(_) => match answered.next() {
            Some(verdict) => Ok(Some(verdict)),
            None => {
                let message = "the host did not answer every line of a batch";
                Err(Failure::new(Exit::Fault, message))
            }
        },
    };
    chunk.lines.iter().map(verdict).collect()
}

impl<'a> Body<'a> {
    fn of(chunk: &'a Chunk) -> Self {
        let json = |line: &'a Line| match line {
            Line::Json(value) => Some(&**value),
            Line::Blank | Line::Malformed(_) => None,
        };
        Self {
            executions: chunk.lines.iter().filter_map(json).collect(),
        }
    }
}

/// The verdict on a line that is not JSON, which was not sent.
fn malformed(why: &str) -> BatchVerdict {
    BatchVerdict {
        status: 400,
        execution: None,
        problem: Some(json!({
            "code": "malformed_json",
            "detail": format!("the line is not JSON: {why}"),
        })),
    }
}

/// Says what was sent before a failure, and how to continue.
fn after(mut failure: Failure, counts: &Counts) -> Failure {
    let done = counts.lines;
    failure.message.push_str(&format!(
        "; the {done} lines before were answered ({}): --skip {done} continues after them",
        counts.sentence()
    ));
    failure
}

impl Counts {
    fn count(&mut self, context: &Context, verdict: Option<&BatchVerdict>) -> Result<(), Failure> {
        self.lines += 1;
        let Some(verdict) = verdict else {
            return Ok(());
        };
        match (&verdict.execution, verdict.problem.as_ref()) {
            (Some(execution), _) if execution.duplicate => self.existed += 1,
            (Some(_), _) => self.created += 1,
            (None, problem) => {
                self.refused += 1;
                if !context.json && self.refused <= NAMED_MAX {
                    let text = |name: &str| problem.and_then(|it| it[name].as_str());
                    let detail = escape(text("detail").unwrap_or("refused"));
                    let code = escape(text("code").unwrap_or_default());
                    to_stderr(&format!("line {}: {detail} ({code})", self.lines));
                }
            }
        }
        if context.json {
            let mut shown = json!({"line": self.lines});
            if let (Some(shown), Ok(Value::Object(verdict))) =
                (shown.as_object_mut(), serde_json::to_value(verdict))
            {
                shown.extend(verdict);
            }
            context.terminal.json_of(&shown)?;
        }
        Ok(())
    }

    fn sentence(&self) -> String {
        format!(
            "{} created, {} existed before, {} refused",
            self.created, self.existed, self.refused
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_in_pieces_that_one_request_takes() {
        let text = "{}\nnonsense\n \n".repeat(400) + "[1]";
        let mut input: Box<dyn BufRead> = Box::new(std::io::Cursor::new(text));
        let chunk = Chunk::read(&mut input).expect("reads");
        assert_eq!(chunk.lines.len(), LINES_MAX);
        assert!(matches!(chunk.lines[0], Line::Json(_)));
        assert!(matches!(chunk.lines[1], Line::Malformed(_)));
        assert!(matches!(chunk.lines[2], Line::Blank));
        assert_eq!(Body::of(&chunk).executions.len(), 334);
        let rest = Chunk::read(&mut input).expect("reads");
        assert_eq!(rest.lines.len(), 201);
        assert!(Chunk::read(&mut input).expect("reads").lines.is_empty());
        let large = format!("\"{}\"\n", "x".repeat(BYTES)).repeat(2);
        let mut input: Box<dyn BufRead> = Box::new(std::io::Cursor::new(large));
        assert_eq!(Chunk::read(&mut input).expect("reads").lines.len(), 1);
    }
}
