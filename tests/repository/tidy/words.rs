//! Words that are this project's own, or misspelled, where the field has a word or plain
//! English will do.

use std::collections::HashMap;

use super::source::{Source, assert_none, sources};

/// What is never right, whole words in any spelling of names, and what to say instead.
const WORDS: &[(&str, &str)] = &[
    ("anew", "again"),
    ("behaviour", "behavior"),
    ("behaviours", "behaviors"),
    ("boxes", "write units"),
    ("colour", "color"),
    ("colours", "colors"),
    ("dear", "expensive"),
    ("dearer", "more expensive"),
    ("gave back", "returned, or released"),
    ("give back", "return, or release"),
    ("given back", "returned, or released"),
    ("gives back", "returns, or releases"),
    ("giving back", "returning, or releasing"),
    ("go on with", "continue or resume with"),
    ("goes on", "continues, or resumes"),
    ("goes to its end", "finishes"),
    ("handed off", "dispatched directly"),
    ("handed over", "dispatched directly"),
    ("he", "they"),
    ("heard", "received"),
    ("him", "them"),
    ("his", "their"),
    ("honour", "honor"),
    ("honoured", "honored"),
    ("honours", "honors"),
    ("initialise", "initialize"),
    ("initialised", "initialized"),
    ("ledger", "statistics of sweeps"),
    ("ledgers", "statistics of sweeps"),
    ("lone call", "a single call"),
    ("neutralise", "escape"),
    ("neutralised", "escaped"),
    ("nobody", "no one, or the agent: no caller, no host"),
    ("organise", "organize"),
    ("organised", "organized"),
    ("overrule", "override"),
    ("overruled", "overridden"),
    ("overrules", "overrides"),
    ("overstay", "its grace has expired"),
    ("prioritise", "prioritize"),
    ("prioritising", "prioritizing"),
    ("put down", "suspended, or its lease released"),
    ("put off", "delayed"),
    ("puts down", "suspends, or releases"),
    ("puts off", "delays"),
    ("recognise", "recognize"),
    ("recognised", "recognized"),
    ("recognises", "recognizes"),
    ("ride together", "are batched"),
    ("rider", "a batch item"),
    ("riders", "batch items"),
    ("rides along", "is batched"),
    ("second look", "a recheck"),
    ("serialise", "serialize"),
    ("serialised", "serialized"),
    ("somebody", "the agent: a caller, another host"),
    ("stand by", "are idle"),
    ("standby", "an idle worker"),
    ("standbys", "idle workers"),
    ("standing by", "idle"),
    ("stands by", "is idle"),
    ("stirred", "touched"),
    ("stood by", "was idle"),
    ("taker", "the assigned worker"),
    ("takers", "assigned workers"),
    ("went on", "continued, or resumed"),
    ("whatever", "what it is"),
    ("whoever", "the agent: the caller, the holder, another host"),
    ("wish", "request"),
    ("wishes", "requests"),
];

/// Names of types that told nothing, and what they are called.
const TYPES: &[(&str, &str)] = &[
    ("Acting", "Caller"),
    ("Apart", "CallerError"),
    ("Before", "EarlySatisfaction"),
    ("Boxed", "WriteUnit"),
    ("Emptied", "DrainedFilters"),
    ("Forms", "PayloadFields"),
    ("Goes", "NextState"),
    ("Ground", "SuspendContext"),
    ("Heard", "ReceivedSignal"),
    ("Inbox", "SuspensionSnapshot"),
    ("Ledger", "SweepStats"),
    ("Life", "ServiceRun"),
    ("Looked", "BlockedRoutesCursor"),
    ("Met", "FenceCheck"),
    ("Offer", "Capacity"),
    ("Post", "ServiceAssignment"),
    ("Rider", "BatchItem"),
    ("Seals", "HandleSigner"),
    ("Seat", "ReservedSlot"),
    ("Standby", "IdleWorker"),
    ("Tally", "SignalCounters"),
    ("Walks", "RetentionCursors"),
];

/// Words that stand in some places, each with its reason.
const EXCEPTIONS: &[(&str, &[&str], &str)] = &[
    ("", &["tests/repository/tidy/words.rs"], "lists them"),
    ("`nobody`", &["host/pgserver/"], "the user of Unix"),
    (
        "`nobody`",
        &[
            "guest-examples/hostile/restless/",
            "guest-examples/native-worker/worker.py",
            "host/runtime/tests/waiting.rs",
            "tests/guests/suspensions.rs",
            "tests/http/workers/example.rs",
        ],
        "an input and a failure code of guests",
    ),
    (
        "`put down`",
        &[
            "guest-examples/hostile/restless/",
            "tests/guests/suspensions.rs",
        ],
        "the state of a guest",
    ),
    (
        "`prioritise`",
        &[
            "host/engine/src/operator/prioritize.",
            "host/server/src/api/execution/operate.rs",
            "tests/http/operators.rs",
        ],
        "the verb as it is stored",
    ),
    (
        "`heard`",
        &[
            "docs/operate.md",
            "host/engine/src/reconcile/dead_workers.rs",
            "host/engine/src/wake",
            "host/server/src/http/ops/metrics.rs",
            "tests/engine/worker_registry.rs",
            "tests/reliability/poolers.rs",
        ],
        "of hosts and notifications, as operators read it",
    ),
];

/// Returns a text's words in lower case with their lines: names are split where their
/// parts meet, and an empty word stands where a phrase ends.
fn words(text: &str) -> Vec<(String, usize)> {
    let mut words: Vec<(String, usize)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // A sentence goes over lines of comments, but not into or out of code.
        let line = line.trim_start().trim_start_matches(['/', '!', '*', '#']);
        let mut word = String::new();
        let mut lower = false;
        for c in line.chars().chain([' ']) {
            let ends = !c.is_alphabetic() || lower && c.is_uppercase();
            if ends && !word.is_empty() {
                words.push((std::mem::take(&mut word), number + 1));
            }
            if c.is_alphabetic() {
                word.extend(c.to_lowercase());
            } else if !c.is_whitespace() && !"_-`'".contains(c) {
                words.push((String::new(), number + 1));
            }
            lower = c.is_lowercase();
        }
    }
    words
}

/// Returns each forbidden word of a text with its line and what to say instead.
fn forbidden(text: &str) -> Vec<(usize, String)> {
    let mut phrases: HashMap<&str, Vec<(Vec<&str>, &str)>> = HashMap::new();
    for (phrase, instead) in WORDS {
        let parts: Vec<_> = phrase.split(' ').collect();
        phrases.entry(parts[0]).or_default().push((parts, instead));
    }
    let words = words(text);
    let mut found = Vec::new();
    for (at, (word, line)) in words.iter().enumerate() {
        for (phrase, instead) in phrases.get(word.as_str()).into_iter().flatten() {
            let here = words[at..].iter().map(|(word, _)| word.as_str());
            if here.take(phrase.len()).eq(phrase.iter().copied()) {
                found.push((*line, format!("`{}`: say {instead}", phrase.join(" "))));
            }
        }
    }
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start().trim_start_matches("pub").trim_start();
        let line = line
            .trim_start_matches("(crate)")
            .trim_start_matches("(super)");
        let mut parts = line.split_whitespace();
        let kind = parts.next().unwrap_or_default();
        let name = parts.next().unwrap_or_default();
        let name = name
            .split(|c: char| !c.is_alphanumeric())
            .next()
            .unwrap_or_default();
        let (_, instead) = match TYPES.iter().find(|(known, _)| *known == name) {
            Some(known) if ["struct", "enum", "trait", "type"].contains(&kind) => known,
            _ => continue,
        };
        found.push((number + 1, format!("type `{name}`: say `{instead}`")));
    }
    found
}

#[test]
fn the_words_are_the_field_s() {
    let endings = [
        ".rs", ".sql", ".md", ".wit", ".toml", ".sh", ".py", ".js", ".ts", ".go",
    ];
    let broken = sources("", &endings)
        .into_iter()
        // What was applied to databases stays as it was.
        .filter(|source| !(source.path.starts_with("migrations/") && source.path.ends_with(".sql")))
        .flat_map(|Source { path, text }| {
            let found = forbidden(&text).into_iter();
            found.map(move |(line, word)| (path.clone(), line, word))
        })
        .filter(|(path, _, word)| {
            let excepted = |(known, places, _): &(&str, &[&str], &str)| {
                word.contains(known) && places.iter().any(|place| path.starts_with(place))
            };
            !EXCEPTIONS.iter().any(excepted)
        })
        .map(|(path, line, word)| format!("{path}:{line}: {word}"));
    assert_none("words that a stranger stumbles over", broken);
}

#[test]
fn a_forbidden_word_is_found_in_text_names_and_across_lines() {
    let found = |text: &str| -> Vec<_> {
        let found = forbidden(text).into_iter();
        found
            .map(|(line, word)| (line, word.split('`').nth(1).unwrap_or_default().to_owned()))
            .collect()
    };
    let one = |line: usize, word: &str| vec![(line, word.to_owned())];
    assert_eq!(found("let x = 1;\nfn put_down() {}"), one(2, "put down"));
    assert_eq!(found("struct PutDown;"), one(1, "put down"));
    assert_eq!(
        found("/// An execution is put\n    /// down by it."),
        one(1, "put down")
    );
    assert_eq!(found("-- Whoever comes first."), one(1, "whoever"));
    assert_eq!(found("pub(crate) struct Seat<T> {"), one(1, "Seat"));
    assert!(found("put.down(); the sheet, the seats; Box::new(1)").is_empty());
}
