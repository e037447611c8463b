//! Rows changed behind the engine's back, and lists read to their end.

use reqwest::StatusCode;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor as _};
use testkit::Database;

use crate::support::api::{Api, text};

/// Runs a statement, as an accident or a newer version would.
pub(crate) async fn run(database: &Database, statement: String) {
    let mut connection = database.connection().await;
    let done = connection.execute(AssertSqlSafe(statement.as_str())).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Reads every page of a list, two rows at a time; returns the ids of readable rows,
/// and the entries for the others.
pub(crate) async fn pages(
    api: &Api,
    path: &str,
    rows: &str,
    id: &str,
) -> (Vec<String>, Vec<Value>) {
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    let mut after = String::new();
    loop {
        let (status, page) = api.get(&format!("{path}?limit=2{after}")).await;
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        let list = page[rows].as_array().expect("a list");
        shown.extend(list.iter().map(|row| text(&row[id])));
        hidden.extend(page["unreadable"].as_array().cloned().unwrap_or_default());
        match page["next_cursor"].as_str() {
            Some(cursor) => after = format!("&after={cursor}"),
            None => return (shown, hidden),
        }
    }
}
