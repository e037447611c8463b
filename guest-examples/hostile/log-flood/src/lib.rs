//! Writes far more log than the bound, then completes.
//!
//! Input: the number of lines, 100 000 without one. Each line goes to the log,
//! to standard output and to standard error. The result is the number of
//! lines written: a flood costs the author their log, not the attempt.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use std::io::{Write, stderr, stdout};

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::log::{Level, log};
use flowhost::engine::types::{FailureClass, Payload};

const DEFAULT_LINES: u32 = 100_000;

struct LogFlood;

impl Guest for LogFlood {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let lines = wanted_lines(&task.input.data).ok_or_else(|| Failure {
            class: FailureClass::Permanent,
            code: "bad_input".into(),
            message: "the input is a number of lines, or empty".into(),
        })?;
        for number in 0..lines {
            let line = format!("line {number} of {lines}: {}", "blah ".repeat(12));
            log(Level::Info, &line);
            // A host may close a stream that is full. The flood continues.
            let _ = writeln!(stdout(), "{line}");
            let _ = writeln!(stderr(), "{line}");
        }
        Ok(Outcome::Completed(Payload {
            content_type: "text/plain".into(),
            data: lines.to_string().into_bytes(),
        }))
    }
}

fn wanted_lines(input: &[u8]) -> Option<u32> {
    match str::from_utf8(input).ok()?.trim() {
        "" => Some(DEFAULT_LINES),
        number => number.parse().ok(),
    }
}

export!(LogFlood);
