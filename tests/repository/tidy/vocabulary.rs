//! The parts of a statement are named by their role, the same in all statements.

use super::source::{Source, assert_none, sources};

/// What a part of a statement may be called whichever statement it is in.
const ROLES: &[&str] = &[
    // Read.
    "input",
    "existing",
    "candidate",
    "locked",
    // A row an execution leaves.
    "from_ready",
    "from_lease",
    "from_parked",
    "from_finished",
    // A row it gets.
    "moved",
    "to_ready",
    "to_lease",
    "to_parked",
    "ended",
    "created",
    // Written beside it.
    "applied",
    "touched",
    "attempts",
    "operations",
    "tags",
    "timers",
    "keys",
    "signals",
    "waitpoints",
    "suspensions",
    "streams",
    "frames",
    "summaries",
    "pieces",
    "removed_executions",
    "executions",
    "members",
    "edges",
    "groups",
    "due",
    "cancels",
    // Told at the end.
    "happened",
    "events",
    "answer",
];

/// Tables of which a part may update, insert or delete rows: `timers_removed`.
const TABLES: &[&str] = &[
    "attempts",
    "classes",
    "due",
    "edges",
    "events",
    "executions",
    "flow",
    "flows",
    "frames",
    "groups",
    "keys",
    "lanes",
    "leases",
    "logs",
    "members",
    "operations",
    "parked",
    "routes",
    "signals",
    "streams",
    "suspensions",
    "tags",
    "texts",
    "timers",
    "waitpoints",
    "workers",
];

/// Names that one statement needs, each with its reason.
const EXCEPTIONS: &[(&str, &[&str], &str)] = &[
    (
        "host/engine/src/flow/change/change.sql",
        &["in_ready", "in_parked", "in_lease", "in_finished", "held"],
        "executions that exist stay in their tables, and so do the leases of holders",
    ),
    (
        "host/engine/src/flow/change/reachable.sql",
        &["reached"],
        "members that edges lead to, however far",
    ),
    (
        "host/engine/src/flow/resolve/resolve.sql",
        &["in_parked"],
        "rows are locked before it is decided whether they move",
    ),
    (
        "host/engine/src/grant/next.sql",
        &["present"],
        "kinds that have something ready",
    ),
    (
        "host/engine/src/lease/claim/claim.sql",
        &["present", "horizon"],
        "kinds that have something ready, and where a round of reading them ends",
    ),
    (
        "host/engine/src/operator/prioritize.sql",
        &["in_ready", "in_parked"],
        "the row stays in its table",
    ),
    (
        "host/engine/src/reconcile/blocked_routes.sql",
        &["routable"],
        "kinds some worker can run",
    ),
    (
        "host/engine/src/reconcile/retention/events_past_retention.sql",
        &["floor", "floor_advanced"],
        "the oldest event a cursor may name",
    ),
    (
        "host/engine/src/reconcile/retention/finished_past_retention.sql",
        &["span", "old", "due", "judged", "removed"],
        "a walk along an index, judged row by row",
    ),
    (
        "host/engine/src/reconcile/retention/log_bytes.sql",
        &["floor", "ends", "sample"],
        "where the log begins and ends, and rows of it",
    ),
    (
        "host/engine/src/reconcile/retention/removed_executions.sql",
        &["floor", "oldest"],
        "the oldest event that is kept",
    ),
    (
        "host/engine/src/reconcile/retention/unused_classes.sql",
        &["floor", "oldest", "looked", "idle", "marked"],
        "the oldest event that is kept, and a walk along an index, judged row by row",
    ),
    (
        "host/engine/src/signal/deliver/deliver.sql",
        &["buffered"],
        "signals that were there before",
    ),
    (
        "host/engine/src/stream/append/trim.sql",
        &["excess", "reached"],
        "frames beyond what is kept, and the last of each mode",
    ),
    (
        "host/engine/src/suspension/suspend/suspend.sql",
        &["pending"],
        "waitpoints the suspension uses",
    ),
    (
        "host/engine/src/waitpoint/key/rotate.sql",
        &["retired", "added", "forgotten"],
        "keys by the end of their lives",
    ),
    (
        "host/engine/src/worker/register.sql",
        &["kinds"],
        "what the worker serves",
    ),
];

/// Returns the names a statement gives its parts.
fn parts(sql: &str) -> Vec<String> {
    let code: Vec<&str> = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect();
    let code = code.join(" ");
    let words: Vec<&str> = code.split_whitespace().collect();
    let mut parts = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |before| words[before]);
        let begins = ["WITH", "RECURSIVE"].contains(&before) || before.ends_with("),");
        let mut after = words[at + 1..].iter();
        if !begins || after.next() != Some(&"AS") {
            continue;
        }
        let opens = after.find(|word| !["NOT", "MATERIALIZED"].contains(word));
        if opens.is_some_and(|word| word.starts_with('(')) {
            parts.push(word.split('(').next().unwrap_or_default().to_owned());
        }
    }
    parts
}

/// Whether a name is the participle of the verb that a statement is named after.
fn is_verb(path: &str, name: &str) -> bool {
    let stem = path.rsplit('/').next().unwrap_or_default();
    let verb = stem.split(['.', '_']).next().unwrap_or_default();
    let root = verb.trim_end_matches('e');
    name.starts_with(root) && name.ends_with("ed")
}

fn is_named(path: &str, name: &str) -> bool {
    let table = |head: &str| TABLES.contains(&head);
    ROLES.contains(&name)
        || is_verb(path, name)
        || name.split_once('_').is_some_and(|(head, _)| table(head))
        || EXCEPTIONS
            .iter()
            .any(|(place, known, _)| *place == path && known.contains(&name))
}

fn misnamed(source: &Source) -> Vec<String> {
    let parts = parts(&source.text).into_iter();
    parts.filter(|name| !is_named(&source.path, name)).collect()
}

#[test]
fn parts_of_statements_are_named_by_their_role() {
    let broken = sources("host/engine/src", &[".sql"])
        .into_iter()
        .flat_map(|source| {
            let names = misnamed(&source).into_iter();
            names.map(move |name| format!("{}: {name}", source.path))
        });
    assert_none("use a name of tests/repository/tidy/vocabulary.rs", broken);
}

#[test]
fn a_misnamed_part_is_found() {
    let sql = "-- WITH told AS (\nWITH RECURSIVE candidate AS NOT MATERIALIZED (SELECT f(a, b), c AS d),\n\
               renewed AS (UPDATE lease), announced AS (\n SELECT 1),\ntimers_removed(x) AS (SELECT 2) SELECT 3";
    let source = Source::new("host/engine/src/lease/renew.sql", sql);
    assert_eq!(
        parts(sql),
        ["candidate", "renewed", "announced", "timers_removed"]
    );
    assert_eq!(misnamed(&source), ["announced"]);
}
