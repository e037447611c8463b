//! A handler that claims as if it were a service. Completes with the answer.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::next;
use flowhost::engine::types::Payload;

struct Impostor;

impl Guest for Impostor {
    fn run(_task: Task) -> Result<Outcome, Failure> {
        let answer = match next(1000) {
            Ok(Some(lease)) => format!("claimed {}", lease.task().execution_id),
            Ok(None) => "nothing".to_owned(),
            Err(refusal) => format!("{refusal:?}"),
        };
        Ok(Outcome::Completed(Payload {
            content_type: "text/plain".into(),
            data: answer.into_bytes(),
        }))
    }
}

export!(Impostor);
