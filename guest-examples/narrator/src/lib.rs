//! Tells a story word by word, as a language model would, on the stream of its attempt.
//!
//! Input: JSON such as `{"subject": "the sea", "words": 60, "words_per_s": 12}`; without a
//! member these are its values. Each word is a durable frame `word`. Before each sentence
//! there is a frame `typing`, which is of interest only now and dropped after a few
//! seconds. After each sentence the summary says how far the story is: `{"words": 12,
//! "sentences": 1, "tail": "…", "done": false}`. Result: the whole story.
//!
//! With `"wait_after": 30` it suspends after the sentence with that word, until a signal
//! `continue` is sent to it or an hour has passed. The call that continues reads
//! the summary of its own stream to find its place, and its words follow the others.
//!
//! `narrator.html` is a page that follows the stream.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

mod story;

use std::thread::sleep;
use std::time::Duration;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::{self, Lease};
use flowhost::engine::log::{Level, log};
use flowhost::engine::streams::{Frame, Mode, StreamError, append, append_all, read_summary};
use flowhost::engine::suspend::{
    Condition, Matcher, Request, Single, Suspended, TimeoutBehavior, resumed,
};
use flowhost::engine::types::{FailureClass, Payload};
use serde::{Deserialize, Serialize};
use story::Story;

/// How long a frame `typing` is of interest.
const TYPING_TTL_MS: u32 = 5000;
/// Bytes of the story that the summary shows.
const TAIL_BYTES: usize = 80;
const HOUR_MS: u64 = 3_600_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Order {
    subject: String,
    words: u32,
    words_per_s: f64,
    wait_after: Option<u32>,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            subject: "the sea".into(),
            words: 60,
            words_per_s: 12.0,
            wait_after: None,
        }
    }
}

/// The summary: what is known of the story without its frames.
#[derive(Default, Serialize, Deserialize)]
struct Told {
    words: u32,
    sentences: u32,
    tail: String,
    done: bool,
}

struct Narrator;

impl Guest for Narrator {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let order = read_order(&task.input.data)?;
        let lease = claim::current();
        let mut told = match read_summary(&lease).map_err(not_appended)? {
            // An attempt that continues: its stream has the words up to here.
            Some(summary) => serde_json::from_str(&summary.document).unwrap_or_default(),
            None => Told::default(),
        };
        let waits = order.wait_after.filter(|_| resumed(&lease).is_none());
        let pause = Duration::from_secs_f64(1.0 / order.words_per_s);
        let mut words = Story::of(&order.subject).skip(told.words as usize);
        let mut begins = true;
        while told.words < order.words {
            if std::mem::take(&mut begins) {
                append(&lease, &typing()).map_err(not_appended)?;
            }
            sleep(pause);
            let Some(word) = words.next() else { break };
            told.words += 1;
            told.tail = tail(told.tail, &word);
            let ends = word.contains('.') || told.words == order.words;
            if !ends {
                append(&lease, &frame("word", word, Mode::Durable)).map_err(not_appended)?;
                continue;
            }
            begins = true;
            told.sentences += 1;
            told.done = told.words == order.words;
            log(Level::Info, &format!("{} words: {}", told.words, told.tail));
            // The last word of the sentence, and what the summary says of it.
            let summary = serde_json::to_string(&told).expect("it holds nothing JSON lacks");
            let frames = [
                frame("word", word, Mode::Durable),
                frame("told", summary, Mode::DurableSummary),
            ];
            append_all(&lease, &frames).map_err(not_appended)?;
            if waits.is_some_and(|after| told.words >= after) && !told.done && wait(&lease)? {
                return Ok(Outcome::Recorded);
            }
        }
        let story: String = Story::of(&order.subject)
            .take(order.words as usize)
            .collect();
        Ok(Outcome::Completed(Payload {
            content_type: "text/plain; charset=utf-8".into(),
            data: story.trim_end().into(),
        }))
    }
}

fn read_order(input: &[u8]) -> Result<Order, Failure> {
    let order: Order = match input {
        [] => Order::default(),
        input => serde_json::from_slice(input).map_err(|error| bad_input(error.to_string()))?,
    };
    if !(0.01..=1000.0).contains(&order.words_per_s) || order.words > 10_000 {
        let bounds = "at most 10000 words, and 0.01 to 1000 in a second";
        return Err(bad_input(bounds.into()));
    }
    Ok(order)
}

fn frame(frame_type: &str, text: String, mode: Mode) -> Frame {
    Frame {
        frame_type: frame_type.into(),
        payload: text.into_bytes(),
        mode,
        correlation_id: None,
        metadata: None,
        produced_at: None,
    }
}

fn typing() -> Frame {
    frame("typing", String::new(), Mode::BestEffort(TYPING_TTL_MS))
}

/// Returns the end of a text with one more word.
fn tail(mut text: String, word: &str) -> String {
    text.push_str(word);
    let excess = text.len().saturating_sub(TAIL_BYTES);
    text.split_off(text.ceil_char_boundary(excess))
}

/// Suspends until the story may continue. Returns whether this call is over.
fn wait(lease: &Lease) -> Result<bool, Failure> {
    let wait = Request::new(&[Condition::Single(Single {
        waitpoint_key: "continue".into(),
        matcher: Matcher::ByName("continue".into()),
    })]);
    wait.set_timeout_ms(HOUR_MS);
    wait.set_timeout_behavior(TimeoutBehavior::AutoResumeWithTimeoutSignal);
    match wait.suspend(lease, None) {
        Ok(Suspended::Suspended(_)) => Ok(true),
        Ok(Suspended::AlreadySatisfied(_)) => Ok(false),
        Err(error) => Err(Failure {
            class: FailureClass::Transient,
            code: "not_suspended".into(),
            message: error.to_string(),
        }),
    }
}

/// Another attempt has a stream of its own and tells the story from the beginning.
fn not_appended(error: StreamError) -> Failure {
    let class = match error {
        StreamError::Unavailable(_) => FailureClass::Transient,
        _ => FailureClass::Permanent,
    };
    Failure {
        class,
        code: "not_appended".into(),
        message: error.to_string(),
    }
}

fn bad_input(message: String) -> Failure {
    Failure {
        class: FailureClass::Permanent,
        code: "bad_input".into(),
        message,
    }
}

export!(Narrator);
