//! Returns a result of as many bytes as its input says, 64 MiB without one.
//!
//! With the usual limits, a few mebibytes break the bound on results and the
//! default breaks the bound on memory first.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::types::{FailureClass, Payload};

const DEFAULT_BYTES: usize = 64 * 1024 * 1024;

struct GiantResult;

impl Guest for GiantResult {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let bytes = wanted_bytes(&task.input.data).ok_or_else(|| Failure {
            class: FailureClass::Permanent,
            code: "bad_input".into(),
            message: "the input is a number of bytes, or empty".into(),
        })?;
        Ok(Outcome::Completed(Payload {
            content_type: "application/octet-stream".into(),
            data: vec![b'x'; bytes],
        }))
    }
}

fn wanted_bytes(input: &[u8]) -> Option<usize> {
    match str::from_utf8(input).ok()?.trim() {
        "" => Some(DEFAULT_BYTES),
        number => number.parse().ok(),
    }
}

export!(GiantResult);
