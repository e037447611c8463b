//! Appends to the stream of its attempt without end. The host must bound what it keeps
//! for it, and what it stores.
//!
//! | input | appends |
//! |---|---|
//! | `frames N` | 64 frames of N bytes in each call, until it is refused |
//! | `summary N` | a patch with a new member of N bytes in each call, until it is refused |
//! | `huge N` | one frame of N bytes |
//! | `wide N` | N empty frames in one call |
//! | `deep N` | a patch of N levels |
//! | `forever N` | frames of N bytes, also after it was refused |
//!
//! Completes with the number of frames that were appended and the refusal.

wit_bindgen::generate!({ path: "../../../wit", world: "handler" });

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::{Lease, current};
use flowhost::engine::streams::{Frame, Mode, StreamError, append_all};
use flowhost::engine::types::Payload;

const FRAMES: usize = 64;

struct StreamFlood;

impl Guest for StreamFlood {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let lease = current();
        let input = String::from_utf8_lossy(&task.input.data).into_owned();
        let (what, number) = input.trim().split_once(' ').unwrap_or((&input, ""));
        let number = number.parse().unwrap_or(0);
        let (appended, refusal) = match what {
            "summary" => until_refused(|round| {
                let member = "x".repeat(number);
                let patch = format!("{{\"{round}\": \"{member}\"}}");
                append(&lease, &[frame(patch.into_bytes(), Mode::DurableSummary)])
            }),
            "huge" => once(&lease, &[frame(vec![b'x'; number], Mode::Durable)]),
            "wide" => once(&lease, &vec![frame(Vec::new(), Mode::Durable); number]),
            "deep" => {
                let patch = "{\"a\":".repeat(number) + "1" + &"}".repeat(number);
                once(&lease, &[frame(patch.into_bytes(), Mode::DurableSummary)])
            }
            "forever" => loop {
                let _ = append(&lease, &[frame(vec![b'x'; number], Mode::Durable)]);
            },
            _ => {
                let frames = vec![frame(vec![b'x'; number], Mode::Durable); FRAMES];
                until_refused(|_| append(&lease, &frames))
            }
        };
        Ok(Outcome::Completed(Payload {
            content_type: "text/plain".into(),
            data: format!("{appended} {refusal:?}").into_bytes(),
        }))
    }
}

fn frame(payload: Vec<u8>, mode: Mode) -> Frame {
    Frame {
        frame_type: "flood".into(),
        payload,
        mode,
        correlation_id: None,
        metadata: None,
        produced_at: None,
    }
}

fn append(lease: &Lease, frames: &[Frame]) -> Result<usize, StreamError> {
    append_all(lease, frames).map(|appended| appended.len())
}

fn once(lease: &Lease, frames: &[Frame]) -> (usize, Option<StreamError>) {
    match append(lease, frames) {
        Ok(appended) => (appended, None),
        Err(refusal) => (0, Some(refusal)),
    }
}

fn until_refused(
    mut append: impl FnMut(usize) -> Result<usize, StreamError>,
) -> (usize, Option<StreamError>) {
    let mut appended = 0;
    for round in 0.. {
        match append(round) {
            Ok(more) => appended += more,
            Err(refusal) => return (appended, Some(refusal)),
        }
    }
    (appended, None)
}

export!(StreamFlood);
