//! Asks for one resource handle after another and never drops any. The host
//! keeps state for each, so the bound must be the host's.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use std::mem::forget;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::executions::Request;

struct HandleHoard;

impl Guest for HandleHoard {
    fn run(task: Task) -> Result<Outcome, Failure> {
        loop {
            // Forgotten, not kept in a list: the guest's own memory stays
            // flat and only the host's grows.
            forget(Request::new("echo", &task.input));
        }
    }
}

export!(HandleHoard);
