//! Never returns and never calls the host, so only the host's own clock can
//! end it.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use std::hint::black_box;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};

struct Spinner;

impl Guest for Spinner {
    fn run(_task: Task) -> Result<Outcome, Failure> {
        let mut rounds = 0_u32;
        loop {
            rounds = black_box(rounds.wrapping_add(1));
        }
    }
}

export!(Spinner);
