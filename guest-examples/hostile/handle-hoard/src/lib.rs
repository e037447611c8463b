//! Opens one handle after another, of the kind its input names, and drops none. The
//! host keeps state for each, so the host must bound them.
//!
//! | input | what the host keeps for each |
//! |---|---|
//! | `requests N` | an input of N bytes |
//! | `fields` | as much as a request may have besides its input |
//! | `signals N` | a payload of N bytes |
//! | `suspensions` | the largest condition that is allowed |
//! | `lanes N` | a lane name of N bytes |
//! | `policies N` | a policy of N bytes |
//! | `capabilities N` | N required capabilities |
//! | `leases` | nothing: each is a handle to the same lease |
//! | `streams` | nothing: each is a handle to standard output |
//! | `answers N` | nothing: reads the task N times, and completes with it |
//!
//! Any other input opens requests with it as their input.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use std::mem::forget;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::current;
use flowhost::engine::executions::Request;
use flowhost::engine::signal::Signal;
use flowhost::engine::suspend::{self, Condition, Count, CountKind};
use flowhost::engine::types::Payload;

struct HandleHoard;

impl Guest for HandleHoard {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let input = String::from_utf8_lossy(&task.input.data).into_owned();
        let (what, bytes) = input.trim().split_once(' ').unwrap_or((&input, ""));
        let bytes = bytes.parse().unwrap_or(0);
        let payload = Payload {
            content_type: "text/plain".into(),
            data: vec![b'x'; bytes],
        };
        // Forgotten, not kept in a list, so that only the host's memory grows.
        match what {
            "requests" => loop {
                forget(Request::new("echo", &payload));
            },
            "fields" => loop {
                let request = Request::new(&"k".repeat(128), &task.input);
                request.set_lane(&"l".repeat(64));
                request.set_idempotency_key(&"i".repeat(255));
                for number in 0..32 {
                    let key = format!("app.{number:0>124}");
                    request.set_tag(&key, &"v".repeat(256));
                }
                request.set_policy(&policy(&capabilities(256)));
                request.set_required_capabilities(&capabilities(256));
                request.set_id(&task.execution_id);
                request.set_deadline(4e12);
                request.set_delay_until(3e12);
                forget(request);
            },
            "signals" => loop {
                let signal = Signal::new("hello");
                signal.set_payload(&payload);
                forget(signal);
            },
            "suspensions" => {
                let condition = Condition::Count(Count {
                    n: 1,
                    kind: CountKind::DistinctSignals,
                    matcher: None,
                    waitpoints: vec!["w".repeat(128); 1024],
                });
                loop {
                    forget(suspend::Request::new(std::slice::from_ref(&condition)));
                }
            }
            "lanes" => {
                let lane = "l".repeat(bytes);
                loop {
                    let request = Request::new("echo", &task.input);
                    request.set_lane(&lane);
                    forget(request);
                }
            }
            "policies" => {
                let policy = policy(&["x".repeat(bytes)]);
                loop {
                    let request = Request::new("echo", &task.input);
                    request.set_policy(&policy);
                    forget(request);
                }
            }
            "capabilities" => {
                let capabilities = capabilities(bytes);
                loop {
                    let request = Request::new("echo", &task.input);
                    request.set_required_capabilities(&capabilities);
                    forget(request);
                }
            }
            "leases" => loop {
                forget(current());
            },
            "streams" => loop {
                stdout();
            },
            "answers" => {
                let lease = current();
                let answers = (0..bytes).map(|_| lease.task().input.data.len());
                let answers: usize = answers.sum();
                Ok(Outcome::Completed(Payload {
                    content_type: "text/plain".into(),
                    data: answers.to_string().into_bytes(),
                }))
            }
            _ => loop {
                forget(Request::new("echo", &task.input));
            },
        }
    }
}

/// Makes up capabilities of 16 bytes each.
fn capabilities(number: usize) -> Vec<String> {
    (0..number).map(|number| format!("{number:0>16}")).collect()
}

/// Writes a policy that requires these capabilities.
fn policy(capabilities: &[String]) -> String {
    let capabilities = capabilities.join("\",\"");
    format!("{{\"routing_requirements\":{{\"required_capabilities\":[\"{capabilities}\"]}}}}")
}

/// Opens another handle to standard output, as the standard library does only once.
fn stdout() {
    #[link(wasm_import_module = "wasi:cli/stdout@0.2.0")]
    unsafe extern "C" {
        #[link_name = "get-stdout"]
        fn get_stdout() -> i32;
    }
    // SAFETY: the signature is that of the canonical ABI for `get-stdout`.
    unsafe { get_stdout() };
}

export!(HandleHoard);
