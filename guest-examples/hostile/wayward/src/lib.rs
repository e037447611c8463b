//! A service that ends each lease, and itself, as its input says:
//!
//! | input | does |
//! |---|---|
//! | `trap` | panics while it holds the lease |
//! | `trap-once` | panics in the first attempt, completes in the next |
//! | `return` | returns from `serve` while it holds the lease |
//! | `drop` | drops the lease without an outcome |
//! | `keep` | continues to claim and drops no lease |
//! | `spin` | loops without end and without calling the host |
//! | `wait` | waits until the lease is cancelled, and drops it |
//! | `current` | asks for the current lease, which a service does not have |
//! | `impatient` | completes with the answer to a wait that is too long |
//! | `describe` | completes with the state of its own execution |
//! | `finish` | waits until the host drains, then completes |
//! | `suspend` | suspends, and completes with its saved state |
//! | `events` and JSON | reads events [as it says](events), and completes with what it found |
//!
//! Any other input completes with the number of leases this sandbox has claimed.

wit_bindgen::generate!({ path: "../../../wit", world: "service" });

mod events;

use std::mem::forget;
use std::thread::sleep;
use std::time::Duration;

use exports::flowhost::engine::serve::Guest;
use flowhost::engine::claim::{ClaimError, Lease, current, next};
use flowhost::engine::complete::complete;
use flowhost::engine::executions::describe;
use flowhost::engine::log::{Level, log};
use flowhost::engine::suspend::{Condition, Matcher, Request, Single, resumed};
use flowhost::engine::types::Payload;

const TICK: Duration = Duration::from_millis(10);

struct Wayward;

impl Guest for Wayward {
    fn serve() -> Result<(), String> {
        let mut kept = Vec::new();
        let mut taken = 0;
        log(Level::Info, "a life begins");
        loop {
            let lease = match next(60_000) {
                Ok(Some(lease)) => lease,
                Ok(None) => continue,
                Err(ClaimError::Draining) => return Ok(()),
                Err(ClaimError::TooManyLeases(_)) => {
                    sleep(TICK);
                    continue;
                }
                Err(refusal) => return Err(refusal.to_string()),
            };
            taken += 1;
            let task = lease.task();
            match task.input.data.trim_ascii() {
                b"trap" => panic!("asked to trap"),
                b"trap-once" if task.attempt_index == 0 => panic!("asked to trap once"),
                b"return" => {
                    // Otherwise they would be dropped, which ends them.
                    forget((lease, kept));
                    return Err("asked to return".into());
                }
                b"drop" => drop(lease),
                b"keep" => kept.push(lease),
                b"spin" => loop {
                    std::hint::spin_loop();
                },
                b"wait" => {
                    while !lease.is_cancelled() {
                        sleep(TICK);
                    }
                }
                b"current" => {
                    current();
                }
                b"impatient" => answer(&lease, format!("{:?}", next(60_001).err())),
                b"describe" => {
                    let state = describe(&task.execution_id).map(|found| found.state);
                    answer(&lease, format!("{state:?}"));
                }
                b"finish" => {
                    while !matches!(next(0), Err(ClaimError::Draining)) {
                        sleep(TICK);
                    }
                    answer(&lease, "finished while draining".into());
                }
                input if input.starts_with(b"events") => {
                    answer(&lease, events::read(&input[b"events".len()..]));
                }
                b"suspend" => match resumed(&lease).and_then(|found| found.state) {
                    Some(state) => answer(&lease, String::from_utf8_lossy(&state.data).into()),
                    None => suspend(&lease, task.execution_id),
                },
                _ => answer(&lease, taken.to_string()),
            }
        }
    }
}

fn suspend(lease: &Lease, state: String) {
    let request = Request::new(&[Condition::Single(Single {
        waitpoint_key: "a".into(),
        matcher: Matcher::Wildcard,
    })]);
    if let Err(refusal) = request.suspend(lease, Some(&text(state))) {
        log(Level::Warn, &refusal.to_string());
    }
}

fn text(text: String) -> Payload {
    Payload {
        content_type: "text/plain".into(),
        data: text.into_bytes(),
    }
}

fn answer(lease: &Lease, said: String) {
    if let Err(refusal) = complete(lease, &text(said)) {
        log(Level::Warn, &refusal.to_string());
    }
}

export!(Wayward);
