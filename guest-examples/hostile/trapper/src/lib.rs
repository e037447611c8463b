//! Traps in the way its input names: `unreachable`, `panic`, `divide` or
//! `oob` (a read outside of its memory).

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use std::arch::wasm32;
use std::hint::{assert_unchecked, black_box};
use std::ptr::{read_volatile, without_provenance};

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::types::FailureClass;

struct Trapper;

impl Guest for Trapper {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let survived = match task.input.data.trim_ascii() {
            b"unreachable" => wasm32::unreachable(),
            b"panic" => panic!("asked to panic"),
            b"divide" => divide_by_zero(),
            b"oob" => read_out_of_bounds(),
            _ => {
                return Err(Failure {
                    class: FailureClass::Permanent,
                    code: "bad_input".into(),
                    message: "the input is one of: unreachable, panic, divide, oob".into(),
                });
            }
        };
        unreachable!("the sandbox let {survived} through")
    }
}

/// Divides by zero. Rust's own division checks first and panics; the promise of a
/// divisor that is not zero leaves the bare instruction.
#[inline(never)]
fn divide_by_zero() -> u32 {
    let divisor = black_box(0_u32);
    // SAFETY: none; the promise is false on purpose. Since the compiler cannot
    // see through `black_box` it emits the instruction, and that traps.
    unsafe { assert_unchecked(divisor != 0) };
    black_box(1) / divisor
}

/// Reads the last bytes of the address space, which no memory below 4 GiB has.
#[inline(never)]
fn read_out_of_bounds() -> u32 {
    let beyond = without_provenance::<u32>(0xffff_fffc);
    // SAFETY: the address is aligned and outside of anything Rust allocated;
    // a volatile read of it is the instruction itself, and that traps.
    unsafe { read_volatile(beyond) }
}

export!(Trapper);
