//! Statements stay short enough to be read, and each verb stays one statement.

use super::source::{assert_none, code, sources};

const LINES_MAX: usize = 200;
const PARAMETERS_MAX: usize = 32;

/// Statements that may be longer or take more, each with its reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "/deliver.sql",
        "suspensions and pending waitpoints are written with their signals, or not at all",
    ),
    (
        "flow/change/change.sql",
        "a graph is written whole, or not at all",
    ),
    (
        "flow/resolve/resolve.sql",
        "what follows from ends in a flow is written whole, or not at all",
    ),
    (
        "/finished_past_retention.sql",
        "an execution leaves every table that has rows of it",
    ),
];

/// Files that may begin a transaction, each with its reason.
const TRANSACTIONS: &[(&str, &str)] = &[(
    "host/engine/src/database/session.rs",
    "a rehearsal begins one with its connection, and never commits",
)];

/// Returns what is too much of a statement.
fn too_much(sql: &str) -> Option<String> {
    let lines = sql.lines().count();
    if lines > LINES_MAX {
        return Some(format!("{lines} lines"));
    }
    let parameters = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .flat_map(|line| line.split('$').skip(1))
        .filter_map(|rest| {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..digits].parse().ok()
        })
        .max()
        .unwrap_or(0);
    (parameters > PARAMETERS_MAX).then(|| format!("{parameters} parameters"))
}

/// Whether Rust begins a transaction.
fn begins(rust: &str) -> bool {
    let code = code(rust);
    code.contains("sqlx::Transaction")
        || [".begin().await", ".begin_with("]
            .iter()
            .any(|call| code.contains(call))
        || rust.contains("\"BEGIN")
}

#[test]
fn statements_are_short_and_take_few_parameters() {
    let broken = sources("host", &[".sql"])
        .into_iter()
        .filter(|source| !EXCEPTIONS.iter().any(|(end, _)| source.path.ends_with(end)))
        .filter_map(|source| Some(format!("{}: {}", source.path, too_much(&source.text)?)));
    assert_none(
        "at most 200 lines and 32 parameters: find the second idea and make it a statement",
        broken,
    );
}

#[test]
fn no_verb_begins_a_transaction() {
    let broken = ["engine", "runtime", "server"]
        .iter()
        .flat_map(|name| sources(&format!("host/{name}/src"), &[".rs"]))
        .filter(|source| !TRANSACTIONS.iter().any(|(path, _)| source.path == *path))
        .filter(|source| begins(&source.text))
        .map(|source| source.path);
    assert_none(
        "a verb is one statement; these begin a transaction, which a dead host leaves open",
        broken,
    );
}

#[test]
fn long_statements_and_transactions_are_found() {
    assert_eq!(too_much("SELECT $32 -- or $33\n"), None);
    assert_eq!(
        too_much("SELECT $1,\n $33::text"),
        Some("33 parameters".to_owned())
    );
    assert_eq!(too_much(&"--\n".repeat(201)), Some("201 lines".to_owned()));
    assert!(begins("let mut all = pool.begin().await?;"));
    assert!(begins("connection.execute(\"BEGIN\")"));
    assert!(!begins("// not `pool.begin().await`\nqueue.begin(job);"));
}
