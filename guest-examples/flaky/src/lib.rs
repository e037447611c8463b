//! Fails a chosen number of times before it succeeds: shows how the retry
//! policy treats a transient failure.
//!
//! Input: JSON such as `{"fail_times": 2}`; without the field, or without any
//! input, 2. Result: JSON such as `{"attempts": 3}`.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::types::{FailureClass, Payload};
use serde::{Deserialize, Serialize};

struct Flaky;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Input {
    fail_times: u32,
}

impl Default for Input {
    fn default() -> Self {
        Self { fail_times: 2 }
    }
}

#[derive(Serialize)]
struct Report {
    attempts: u32,
}

impl Guest for Flaky {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let request = if task.input.data.is_empty() {
            Input::default()
        } else {
            serde_json::from_slice(&task.input.data).map_err(bad_input)?
        };
        if task.attempt_index < request.fail_times {
            return Err(Failure {
                class: FailureClass::Transient,
                code: "not_yet".into(),
                message: format!(
                    "attempt {} of {} that fail",
                    task.attempt_index + 1,
                    request.fail_times
                ),
            });
        }
        let report = Report {
            attempts: task.attempt_index + 1,
        };
        Ok(Outcome::Completed(Payload {
            content_type: "application/json".into(),
            data: serde_json::to_vec(&report).expect("a report holds nothing JSON lacks"),
        }))
    }
}

fn bad_input(error: serde_json::Error) -> Failure {
    Failure {
        class: FailureClass::Permanent,
        code: "bad_input".into(),
        message: error.to_string(),
    }
}

export!(Flaky);
