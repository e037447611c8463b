//! Creates one execution of kind `echo` for each line of its input.
//!
//! Shows how a handler creates executions so that a repeated attempt creates none
//! twice: the idempotency key consists of its own execution's id and the number of
//! the line. Result: a JSON array of the ids, in the order of the
//! lines. Empty lines are left out.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::executions::{self, Created, Error, Request};
use flowhost::engine::log::{Level, log};
use flowhost::engine::types::{ExecutionId, FailureClass, Payload};

const CHILD_KIND: &str = "echo";

struct Children;

impl Guest for Children {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let text = str::from_utf8(&task.input.data).map_err(|error| Failure {
            class: FailureClass::Permanent,
            code: "bad_input".into(),
            message: error.to_string(),
        })?;

        let mut ids = Vec::new();
        let lines = text.lines().enumerate();
        for (index, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let key = format!("{}/{index}", task.execution_id);
            ids.push(create(&key, line).map_err(refused)?);
        }
        for id in &ids {
            let child = executions::describe(id).map_err(refused)?;
            log(
                Level::Info,
                &format!("{} in lane {} is {:?}", child.id, child.lane, child.state),
            );
        }
        Ok(Outcome::Completed(Payload {
            content_type: "application/json".into(),
            data: serde_json::to_vec(&ids).expect("ids are strings"),
        }))
    }
}

/// Creates the child, or finds the one an earlier attempt created.
fn create(idempotency_key: &str, line: &str) -> Result<ExecutionId, Error> {
    let request = Request::new(
        CHILD_KIND,
        &Payload {
            content_type: "text/plain".into(),
            data: line.into(),
        },
    );
    request.set_idempotency_key(idempotency_key);
    match request.create()? {
        Created::Created(id) => Ok(id),
        Created::Duplicate(id) => {
            log(Level::Info, &format!("{id} was there already"));
            Ok(id)
        }
    }
}

/// Only a fault of the engine that passes is worth another attempt.
fn refused(error: Error) -> Failure {
    let (class, code) = match error {
        Error::Unavailable(_) => (FailureClass::Transient, "engine_unavailable"),
        _ => (FailureClass::Permanent, "child_refused"),
    };
    Failure {
        class,
        code: code.into(),
        message: error.to_string(),
    }
}

export!(Children);
