//! Finds misspelled words and suggests others.
//!
//! A service: it builds an index of the words it knows once and looks up one text
//! after the other in it. A handler would build the index
//! for every text. Input: a text. Result: JSON with the number of words and
//! each one that is not known, with its line and up to three suggestions. Words
//! that begin with a capital letter are taken for names. A text that is not
//! UTF-8 fails permanently as `bad_text`.

wit_bindgen::generate!({ path: "../../wit", world: "service" });

mod index;

use std::thread::sleep;
use std::time::{Duration, Instant};

use exports::flowhost::engine::serve::Guest;
use flowhost::engine::claim::{ClaimError, Lease, LeaseError, next};
use flowhost::engine::complete::{complete, fail};
use flowhost::engine::log::{Level, log};
use flowhost::engine::types::{Failure, FailureClass, Payload};
use index::Index;
use serde::Serialize;

/// Longest wait for a text in one call; the service then asks again.
const WAIT_MS: u32 = 30_000;
/// Pause before the engine is asked again.
const PAUSE: Duration = Duration::from_millis(100);
const SUGGESTIONS_MAX: usize = 3;

#[derive(Serialize)]
struct Report<'a> {
    words: usize,
    unknown: Vec<Unknown<'a>>,
}

#[derive(Serialize)]
struct Unknown<'a> {
    word: &'a str,
    line: usize,
    suggestions: Vec<&'static str>,
}

struct Spelling;

impl Guest for Spelling {
    fn serve() -> Result<(), String> {
        let began = Instant::now();
        let index = Index::build();
        log(
            Level::Info,
            &format!(
                "made an index of {} entries in {} ms",
                index.entries(),
                began.elapsed().as_millis()
            ),
        );
        let mut texts = 0;
        loop {
            match next(WAIT_MS) {
                Ok(Some(lease)) => {
                    texts += 1;
                    log(Level::Info, &format!("text {texts} with the same index"));
                    work_off(&lease, &index);
                }
                // No text came within the time, or the database does not answer.
                Ok(None) | Err(ClaimError::Unavailable(_)) => {}
                Err(ClaimError::Draining) => return Ok(()),
                Err(refusal) => return Err(refusal.to_string()),
            }
        }
    }
}

/// Ends the lease with a result or a failure. A refusal means that the lease is lost
/// and another worker has the text.
fn work_off(lease: &Lease, index: &Index) {
    let input = lease.task().input.data;
    let ended = match str::from_utf8(&input) {
        Ok(text) => insist(|| complete(lease, &report(index, text))),
        Err(error) => insist(|| {
            let failure = Failure {
                class: FailureClass::Permanent,
                code: "bad_text".into(),
                message: error.to_string(),
            };
            fail(lease, &failure).map(|_| ())
        }),
    };
    if let Err(refusal) = ended {
        log(Level::Warn, &format!("not recorded: {refusal}"));
    }
}

/// Asks again while the engine cannot be reached; the lease bounds it.
fn insist(mut end: impl FnMut() -> Result<(), LeaseError>) -> Result<(), LeaseError> {
    loop {
        match end() {
            Err(LeaseError::Unavailable(_)) => sleep(PAUSE),
            answer => return answer,
        }
    }
}

fn report(index: &Index, text: &str) -> Payload {
    let mut words = 0;
    let mut unknown = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        for word in text.split(|c: char| !c.is_alphabetic()) {
            words += usize::from(!word.is_empty());
            let is_name = word.chars().next().is_some_and(char::is_uppercase);
            if word.len() > 1 && !is_name && !index.knows(word) {
                unknown.push(Unknown {
                    word,
                    line,
                    suggestions: index.nearest(word, SUGGESTIONS_MAX),
                });
            }
        }
    }
    Payload {
        content_type: "application/json".into(),
        data: serde_json::to_vec(&Report { words, unknown }).expect("a report is JSON"),
    }
}

export!(Spelling);
