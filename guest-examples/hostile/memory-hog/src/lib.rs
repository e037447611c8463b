//! Takes memory, a mebibyte at a time, and writes to every page of it until
//! it gets no more.
//!
//! A host that refuses growth quietly sees the failure `memory_refused`, which
//! tells how far the guest came; one that traps on growth sees the trap.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::types::FailureClass;

const BLOCK_BYTES: usize = 1024 * 1024;

struct MemoryHog;

impl Guest for MemoryHog {
    fn run(_task: Task) -> Result<Outcome, Failure> {
        let mut blocks = Vec::new();
        while let Some(block) = take() {
            blocks.push(block);
        }
        let taken = blocks.len();
        // Frees memory, which the failure needs.
        drop(blocks);
        Err(Failure {
            class: FailureClass::Permanent,
            code: "memory_refused".into(),
            message: format!("took {taken} MiB"),
        })
    }
}

/// Takes one more block. Writing ones, not zeros, makes every page resident.
fn take() -> Option<Vec<u8>> {
    let mut block = Vec::new();
    block.try_reserve_exact(BLOCK_BYTES).ok()?;
    block.resize(BLOCK_BYTES, 1);
    Some(block)
}

export!(MemoryHog);
