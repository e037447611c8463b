//! Counts the words of a text in children, one for each piece of it.
//!
//! Input: text in UTF-8, as `text/…`. The first call starts a child of the same kind for each
//! piece and waits for them, which ends its sandbox and its lease. When all have ended, the
//! handler is called again, as the same attempt, and adds up their results. A child gets its
//! piece as JSON, `{"piece": "…"}`, and completes with the words and how often each occurs.
//! Result: `{"pieces": 9, "words": 579, "top": [{"word": "the", "count": 50}]}`.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

use std::cmp::Reverse;
use std::collections::BTreeMap;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::claim::{Lease, LeaseError, current};
use flowhost::engine::executions::{self, Request};
use flowhost::engine::flows::{self, Child, DependencyPolicy, FlowError, Graph, WaitFor};
use flowhost::engine::log::{Level, log};
use flowhost::engine::types::{FailureClass, Payload};
use serde::{Deserialize, Serialize};

/// Bytes from which on a piece ends with its paragraph.
const PIECE_BYTES: usize = 250;
const TOP_WORDS: usize = 5;

#[derive(Serialize, Deserialize)]
struct Piece {
    piece: String,
}

type Counts = BTreeMap<String, u32>;

#[derive(Serialize)]
struct Word {
    word: String,
    count: u32,
}

#[derive(Serialize)]
struct Report {
    pieces: usize,
    words: u32,
    top: Vec<Word>,
}

struct MapReduce;

impl Guest for MapReduce {
    fn run(task: Task) -> Result<Outcome, Failure> {
        if task.input.content_type == "application/json" {
            let Piece { piece } = serde_json::from_slice(&task.input.data)
                .map_err(|error| permanent("bad_input", error.to_string()))?;
            return Ok(completed(&count(&piece)));
        }
        let lease = current();
        if !task.resumes {
            let text = str::from_utf8(&task.input.data)
                .map_err(|error| permanent("bad_input", error.to_string()))?;
            start(&lease, &task.kind, text).map_err(refused)?;
        }
        let children = flows::children(&lease).map_err(refused)?;
        if children.iter().any(|child| child.outcome.is_none()) {
            let all = WaitFor {
                children: None,
                policy: DependencyPolicy::AllOf,
                kind: None,
            };
            flows::wait_children(&lease, &all).map_err(refused)?;
            return Ok(Outcome::Recorded);
        }
        reduce(&children)
    }
}

/// Starts a child for each piece. Their names are the same in every attempt, so one that is
/// repeated starts none twice.
fn start(lease: &Lease, kind: &str, text: &str) -> Result<(), FlowError> {
    let graph = Graph::new();
    let pieces = pieces(text);
    for (number, piece) in pieces.iter().enumerate() {
        let request = Request::new(
            kind,
            &json(&Piece {
                piece: piece.clone(),
            }),
        );
        graph.add_member(Some(&format!("piece-{number:03}")), request);
    }
    let changed = flows::start_children(lease, graph)?;
    log(
        Level::Info,
        &format!("{} pieces in flow {}", pieces.len(), changed.flow_id),
    );
    Ok(())
}

/// Cuts a text into pieces of whole paragraphs.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for paragraph in text.split("\n\n") {
        piece.push_str(paragraph);
        piece.push_str("\n\n");
        if piece.len() >= PIECE_BYTES {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    if !piece.trim().is_empty() {
        pieces.push(piece);
    }
    pieces
}

fn count(text: &str) -> Counts {
    let mut counts = Counts::new();
    let letters = |c: char| !c.is_alphanumeric() && c != '\'' && c != '’';
    for word in text.split(letters).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}

/// Adds up what the children counted.
fn reduce(children: &[Child]) -> Result<Outcome, Failure> {
    let mut all = Counts::new();
    for child in children {
        if let Some(failure) = &child.failure {
            let message = format!("{}: {}", child.id, failure.message);
            return Err(permanent("child_failed", message));
        }
        let result = executions::result(&child.id)
            .map_err(|error| permanent("child_failed", format!("{}: {error}", child.id)))?;
        let counts: Counts = serde_json::from_slice(&result.data)
            .map_err(|error| permanent("child_failed", format!("{}: {error}", child.id)))?;
        for (word, count) in counts {
            *all.entry(word).or_default() += count;
        }
    }
    let words = all.values().sum();
    let mut top: Vec<_> = all.into_iter().collect();
    // Words of equal count stay in the order of the alphabet.
    top.sort_by_key(|(_, count)| Reverse(*count));
    let top = top.into_iter().take(TOP_WORDS);
    Ok(completed(&Report {
        pieces: children.len(),
        words,
        top: top.map(|(word, count)| Word { word, count }).collect(),
    }))
}

fn completed(value: &impl Serialize) -> Outcome {
    Outcome::Completed(json(value))
}

fn json(value: &impl Serialize) -> Payload {
    Payload {
        content_type: "application/json".into(),
        data: serde_json::to_vec(value).expect("it holds nothing JSON lacks"),
    }
}

/// Only a fault of the engine that passes is worth another attempt.
fn refused(error: FlowError) -> Failure {
    match error {
        FlowError::Unavailable(_) | FlowError::Lease(LeaseError::Unavailable(_)) => Failure {
            class: FailureClass::Transient,
            code: "engine_unavailable".into(),
            message: error.to_string(),
        },
        _ => permanent("children_refused", error.to_string()),
    }
}

fn permanent(code: &str, message: String) -> Failure {
    Failure {
        class: FailureClass::Permanent,
        code: code.into(),
        message,
    }
}

export!(MapReduce);
