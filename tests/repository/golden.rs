//! Golden files: what a reader would otherwise have to run to see. `make golden`
//! writes them again; the change is reviewed as text.

use std::fmt::Write as _;
use std::fs;

use sqlx::Row as _;
use testkit::database;

use crate::support::golden::{assert_golden, top};

#[tokio::test(flavor = "multi_thread")]
async fn golden_schema() {
    let mut connection = database().await.connection().await;
    let rows = sqlx::query(include_str!("catalogue.sql"))
        .fetch_all(&mut connection)
        .await
        .expect("the catalogue can be read");
    let mut text =
        String::from("-- The schema after every migration, as the database describes it.\n");
    for row in rows {
        let line: String = row.get(0);
        writeln!(text, "{line}").expect("a string takes text");
    }
    assert_golden("tests/golden/schema.sql", &text);
}

#[test]
fn golden_figure_of_transitions() {
    let path = "ARCHITECTURE.md";
    let text = fs::read_to_string(top().join(path)).expect("text");
    let (head, rest) = text
        .split_once("```mermaid\nstateDiagram")
        .expect("a figure");
    let (_, tail) = rest.split_once("```").expect("the figure ends");
    assert_golden(
        path,
        &format!("{head}```mermaid\n{}```{tail}", model::figure()),
    );
}

#[test]
fn golden_problem_codes() {
    let path = "docs/http.md";
    let text = fs::read_to_string(top().join(path)).expect("text");
    let (head, rest) = text.split_once("| status | code").expect("a table");
    let (_, tail) = rest.split_once("\n\n").expect("the table ends");
    let table = server::http::Code::table();
    assert_golden(path, &format!("{head}{table}\n{tail}"));
}

#[test]
fn golden_roles_of_routes() {
    let path = "docs/security.md";
    let text = fs::read_to_string(top().join(path)).expect("text");
    let (head, rest) = text.split_once("| route | role |").expect("a table");
    let (_, tail) = rest.split_once("\n\n").expect("the table ends");
    let table = server::http::roles_table();
    assert_golden(path, &format!("{head}{table}\n{tail}"));
}

#[test]
fn golden_flow_schema() {
    assert_golden("docs/flow.schema.json", &server::cli::flow_schema());
}

#[test]
fn golden_exit_codes() {
    let path = "docs/operate.md";
    let text = fs::read_to_string(top().join(path)).expect("text");
    let (head, rest) = text.split_once("| exit code |").expect("a table");
    let (_, tail) = rest.split_once("\n\n").expect("the table ends");
    let table = server::cli::Exit::table();
    assert_golden(path, &format!("{head}{table}\n{tail}"));
}

/// The labels of the database's enums are the names of the model's.
#[tokio::test(flavor = "multi_thread")]
async fn enum_labels_are_the_model_s_names() {
    fn names<T: ToString>(all: &[T]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }
    let mut connection = database().await.connection().await;
    let parked = ["waiting", "active", "terminal"];
    let expected = [
        ("attempt_end", names(model::AttemptEnd::ALL)),
        ("attempt_type", names(model::AttemptType::ALL)),
        ("blocking_reason", names(model::BlockingReason::ALL)),
        ("event_kind", names(model::EventKind::ALL)),
        ("failure_class", names(model::FailureClass::ALL)),
        ("outcome", names(model::Outcome::ALL)),
        ("role", names(model::Role::ALL)),
        (
            "parked_state",
            names(model::StateKind::ALL)
                .into_iter()
                .filter(|n| !parked.contains(&n.as_str()))
                .collect(),
        ),
    ];
    for (name, expected) in expected {
        let labels: Vec<String> = sqlx::query_scalar(
            "SELECT e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
             WHERE t.typname = $1 ORDER BY e.enumsortorder",
        )
        .bind(name)
        .fetch_all(&mut connection)
        .await
        .expect("the catalogue can be read");
        assert_eq!(labels, expected, "{name}");
    }
}
