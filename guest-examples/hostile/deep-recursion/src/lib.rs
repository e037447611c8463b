//! Calls itself until the call stack overflows.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use std::hint::black_box;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::types::Payload;

struct DeepRecursion;

impl Guest for DeepRecursion {
    fn run(_task: Task) -> Result<Outcome, Failure> {
        Ok(Outcome::Completed(Payload {
            content_type: "text/plain".into(),
            data: descend(0).to_string().into_bytes(),
        }))
    }
}

/// Calls itself. The addition after the call keeps the compiler from making a loop of
/// the recursion.
#[inline(never)]
#[expect(unconditional_recursion, reason = "overflowing the stack is the point")]
fn descend(level: u32) -> u32 {
    black_box(descend(black_box(level.wrapping_add(1)))).wrapping_add(1)
}

export!(DeepRecursion);
