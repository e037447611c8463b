//! Finds a factor of a number in three ways, of which the first to find one wins.
//!
//! Run by the flow in `race.yaml`: three members get JSON such as
//! `{"number": "91", "way": "fermat"}`, with the way `trial_division`, `fermat` or
//! `pollard_rho`, and compute until they have a factor or are cancelled. The member that
//! waits for one of them has no input of its own, and completes with what the winner found:
//! `{"number": "91", "factors": ["7", "13"], "way": "fermat"}`. A prime fails as `no_factor`.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

mod ways;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::{Lease, LeaseError, current};
use flowhost::engine::flows::{self, FlowError};
use flowhost::engine::types::{FailureClass, Payload};
use serde::{Deserialize, Serialize};

use ways::{Search, Way};

/// Steps between two looks at whether to stop.
const STEPS: u32 = 1 << 18;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// As text, since JSON numbers lose digits beyond 2^53.
    number: String,
    way: Way,
}

#[derive(Serialize)]
struct Found {
    number: String,
    factors: [String; 2],
    way: Way,
}

struct Race;

impl Guest for Race {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let lease = current();
        if task.input.data.is_empty() {
            return winner(&lease).map(Outcome::Completed);
        }
        let order: Order = serde_json::from_slice(&task.input.data)
            .map_err(|error| permanent("bad_input", error.to_string()))?;
        let number: u64 = order
            .number
            .parse()
            .ok()
            .filter(|number| *number >= 4)
            .ok_or_else(|| permanent("bad_input", "number: 4 to 18446744073709551615".into()))?;
        let mut search = Search::new(order.way, number);
        loop {
            if let Some(factor) = search.go_on(STEPS) {
                return match factor {
                    1 => Err(permanent("no_factor", format!("{number} is a prime"))),
                    factor => Ok(Outcome::Completed(found(number, factor, order.way))),
                };
            }
            if lease.is_cancelled() {
                // Another way was faster: the execution is cancelled already.
                return Err(Failure {
                    class: FailureClass::Cancelled,
                    code: "lost_the_race".into(),
                    message: "another way was faster".into(),
                });
            }
        }
    }
}

/// Returns the result of the member that won.
fn winner(lease: &Lease) -> Result<Payload, Failure> {
    for input in flows::inputs(lease).map_err(unread)? {
        if let Some(result) = flows::read_input(lease, &input.name).map_err(unread)? {
            return Ok(result);
        }
    }
    Err(permanent(
        "bad_input",
        "no other member passes a factor".into(),
    ))
}

fn found(number: u64, factor: u64, way: Way) -> Payload {
    let other = number / factor;
    let factors = [factor.min(other), factor.max(other)].map(|it| it.to_string());
    let found = Found {
        number: number.to_string(),
        factors,
        way,
    };
    Payload {
        content_type: "application/json".into(),
        data: serde_json::to_vec(&found).expect("it holds nothing JSON lacks"),
    }
}

/// Only a fault of the engine that passes is worth another attempt.
fn unread(error: FlowError) -> Failure {
    match error {
        FlowError::Unavailable(_) | FlowError::Lease(LeaseError::Unavailable(_)) => Failure {
            class: FailureClass::Transient,
            code: "engine_unavailable".into(),
            message: error.to_string(),
        },
        _ => permanent("not_read", error.to_string()),
    }
}

fn permanent(code: &str, message: String) -> Failure {
    Failure {
        class: FailureClass::Permanent,
        code: code.into(),
        message,
    }
}

export!(Race);
