//! Breaks a rule of the component model's binary interface, the one its input
//! names:
//!
//! | input | passes to the host |
//! |---|---|
//! | `dropped` | a handle it has dropped |
//! | `forged` | a handle it was never given |
//! | `dropped-twice` | a handle to drop, twice |
//! | `other-type` | a request where a lease belongs |
//! | `text-pointer`, `list-pointer` | a text, a list, outside of its memory |
//! | `unaligned` | a list at an odd address |
//! | `answer-pointer` | an address for the answer outside of its memory |
//! | `utf8` | a text that is not UTF-8 |
//! | `discriminant` | a log level that does not exist |
//! | `empty-poll` | an empty list of pollables |
//! | `zeroes` | a request for 2^63 zeroes on standard output |
//! | `random N` | a request for N random bytes |
//! | `bytes N` | N bytes in one call |
//! | `lends` | three thousand loans of one handle in one call |
//! | `socket` | a request for a socket; completes if it is refused |
//! | `result-utf8`, `result-pointer` | such a text, such a list, in its return value |

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::executions::Request;
use flowhost::engine::types::{FailureClass, Payload};

const OUTSIDE: usize = 0xffff_0000;
const HERE: &str = "here";

/// Imports as they are below their bindings.
mod raw {
    #[link(wasm_import_module = "flowhost:engine/executions@0.1.0")]
    unsafe extern "C" {
        #[link_name = "[constructor]request"]
        pub fn request(
            kind: usize,
            kind_bytes: usize,
            content_type: usize,
            content_type_bytes: usize,
            data: usize,
            data_bytes: usize,
        ) -> i32;
        #[link_name = "[method]request.set-priority"]
        pub fn set_priority(request: i32, priority: i32);
        #[link_name = "[method]request.create"]
        pub fn create(request: i32, answer: usize);
        #[link_name = "[resource-drop]request"]
        pub fn drop_request(request: i32);
    }
    #[link(wasm_import_module = "flowhost:engine/claim@0.1.0")]
    unsafe extern "C" {
        #[link_name = "[method]lease.epoch"]
        pub fn epoch(lease: i32) -> i64;
    }
    #[link(wasm_import_module = "flowhost:engine/log@0.1.0")]
    unsafe extern "C" {
        pub fn log(level: i32, message: usize, message_bytes: usize);
    }
    #[link(wasm_import_module = "wasi:io/poll@0.2.0")]
    unsafe extern "C" {
        pub fn poll(pollables: usize, count: usize, answer: usize);
    }
    #[link(wasm_import_module = "wasi:clocks/monotonic-clock@0.2.0")]
    unsafe extern "C" {
        #[link_name = "subscribe-duration"]
        pub fn subscribe_duration(ns: i64) -> i32;
    }
    #[link(wasm_import_module = "wasi:random/random@0.2.0")]
    unsafe extern "C" {
        #[link_name = "get-random-bytes"]
        pub fn get_random_bytes(count: i64, answer: usize);
    }
    #[link(wasm_import_module = "wasi:cli/stdout@0.2.0")]
    unsafe extern "C" {
        #[link_name = "get-stdout"]
        pub fn get_stdout() -> i32;
    }
    #[link(wasm_import_module = "wasi:io/streams@0.2.0")]
    unsafe extern "C" {
        #[link_name = "[method]output-stream.write-zeroes"]
        pub fn write_zeroes(stream: i32, count: i64, answer: usize);
    }
    #[link(wasm_import_module = "wasi:sockets/tcp-create-socket@0.2.0")]
    unsafe extern "C" {
        #[link_name = "create-tcp-socket"]
        pub fn create_tcp_socket(family: i32, answer: usize);
    }
}

struct Clumsy;

impl Guest for Clumsy {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let input = String::from_utf8_lossy(&task.input.data).into_owned();
        let (what, number) = input.split_once(' ').unwrap_or((&input, "0"));
        let number: usize = number.parse().unwrap_or(0);
        let mut answer = [0_u64; 8];
        let at = answer.as_mut_ptr() as usize;
        let here = HERE.as_ptr() as usize;
        // SAFETY: none of these is sound, and that is the point: the guest's own
        // memory is all that can be harmed.
        unsafe {
            match what {
                "dropped" => {
                    let handle = request();
                    raw::drop_request(handle);
                    raw::set_priority(handle, 1);
                }
                "forged" => raw::set_priority(12_345, 1),
                "dropped-twice" => {
                    let handle = request();
                    raw::drop_request(handle);
                    raw::drop_request(handle);
                }
                "other-type" => drop(raw::epoch(request())),
                "text-pointer" => raw::log(2, OUTSIDE, 64 << 10),
                "list-pointer" => drop(raw::request(here, 4, here, 4, OUTSIDE, 1 << 20)),
                "unaligned" => raw::poll(at + 1, 1, at),
                "answer-pointer" => raw::create(request(), OUTSIDE + 0xfff0),
                "utf8" => {
                    let bytes = [b'a', 0xff, 0xfe];
                    raw::log(2, bytes.as_ptr() as usize, bytes.len());
                }
                "discriminant" => raw::log(99, here, HERE.len()),
                "empty-poll" => raw::poll(at, 0, at),
                "zeroes" => raw::write_zeroes(raw::get_stdout(), i64::MAX, at),
                "random" => raw::get_random_bytes(number as i64, at),
                "bytes" => drop(Request::new(
                    "echo",
                    &Payload {
                        content_type: String::new(),
                        data: vec![0; number],
                    },
                )),
                "lends" => {
                    let loans = vec![raw::subscribe_duration(0); 3000];
                    raw::poll(loans.as_ptr() as usize, loans.len(), at);
                }
                "socket" => {
                    raw::create_tcp_socket(0, at);
                    let refused = answer[0] & 0xff == 1;
                    assert!(refused, "there is a socket");
                }
                "result-utf8" => {
                    return Err(Failure {
                        class: FailureClass::Permanent,
                        code: "odd".into(),
                        message: String::from_utf8_unchecked(vec![b'a', 0xff, 0xfe]),
                    });
                }
                "result-pointer" => {
                    let outside = OUTSIDE as *mut u8;
                    return Ok(Outcome::Completed(Payload {
                        content_type: String::new(),
                        data: Vec::from_raw_parts(outside, 64 << 10, 64 << 10),
                    }));
                }
                other => panic!("unknown input {other}"),
            }
        }
        Ok(Outcome::Completed(task.input))
    }
}

/// Takes a handle on a request.
unsafe fn request() -> i32 {
    let here = HERE.as_ptr() as usize;
    // SAFETY: texts and list lie in the guest's memory.
    unsafe { raw::request(here, HERE.len(), here, 0, here, HERE.len()) }
}

export!(Clumsy);
