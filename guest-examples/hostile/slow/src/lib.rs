//! Sleeps for as many milliseconds as its input says, then completes with its
//! input.
//!
//! It uses no processor time and makes no call of the engine while it
//! sleeps, so neither a budget of ticks nor a refused call ends it: only a
//! time limit or a lost lease does.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use std::thread::sleep;
use std::time::Duration;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::types::FailureClass;

struct Slow;

impl Guest for Slow {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let sleep_ms = number(&task.input.data).ok_or_else(|| Failure {
            class: FailureClass::Permanent,
            code: "bad_input".into(),
            message: "the input is a number of milliseconds".into(),
        })?;
        sleep(Duration::from_millis(sleep_ms));
        Ok(Outcome::Completed(task.input))
    }
}

fn number(input: &[u8]) -> Option<u64> {
    str::from_utf8(input).ok()?.trim().parse().ok()
}

export!(Slow);
