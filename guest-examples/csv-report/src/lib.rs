//! Summarizes the columns of a CSV table.
//!
//! Input: CSV in UTF-8 whose first row names the columns. Result:
//! `application/json` with one entry per column. A column whose filled cells
//! are all numbers is summed up, any other is counted by value. A table that
//! cannot be read fails permanently as `bad_csv`, and the message names the line.

wit_bindgen::generate!({ path: "../../wit", world: "handler" });

mod column;
mod table;

use exports::flowhost::engine::attempt::{Failure, Guest, Outcome, Task};
use flowhost::engine::log::{Level, log};
use flowhost::engine::types::{FailureClass, Payload};
use serde::Serialize;

use column::Column;
use table::Table;

struct CsvReport;

#[derive(Serialize)]
struct Report<'a> {
    rows: usize,
    columns: Vec<Column<'a>>,
}

impl Guest for CsvReport {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let table = Table::read(&task.input.data).map_err(bad_csv)?;
        log(
            Level::Info,
            &format!("{} rows, {} columns", table.rows.len(), table.header.len()),
        );

        let columns = table.header.iter().enumerate();
        let report = Report {
            rows: table.rows.len(),
            columns: columns
                .map(|(index, name)| Column::summarise(name, table.cells(index)))
                .collect(),
        };
        Ok(Outcome::Completed(Payload {
            content_type: "application/json".into(),
            data: serde_json::to_vec(&report).expect("a report holds nothing JSON lacks"),
        }))
    }
}

fn bad_csv(message: String) -> Failure {
    Failure {
        class: FailureClass::Permanent,
        code: "bad_csv".into(),
        message,
    }
}

export!(CsvReport);
