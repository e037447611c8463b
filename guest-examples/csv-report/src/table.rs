//! A CSV file in memory. It is at most as large as a payload may be, so there
//! is nothing to gain from reading it row by row.

use csv::{ErrorKind, Position, StringRecord};

/// The rows of a CSV file, each as long as the header.
pub struct Table {
    /// Names of the columns.
    pub header: StringRecord,
    /// The rows after the header.
    pub rows: Vec<StringRecord>,
}

impl Table {
    /// Reads a whole file. The error is a sentence that names the line.
    pub fn read(data: &[u8]) -> Result<Self, String> {
        let mut reader = csv::Reader::from_reader(data);
        let header = reader.headers().map_err(describe)?.clone();
        if header.is_empty() {
            return Err("line 1: there is no header row".into());
        }
        let rows = reader.into_records().collect::<Result<_, _>>();
        Ok(Self {
            header,
            rows: rows.map_err(describe)?,
        })
    }

    /// The cells of one column, top to bottom.
    pub fn cells(&self, column: usize) -> impl Iterator<Item = &str> + Clone {
        self.rows.iter().map(move |row| &row[column])
    }
}

fn describe(error: csv::Error) -> String {
    let line = error.position().map_or(1, Position::line);
    match error.kind() {
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("line {line}: {len} fields where the header has {expected_len}"),
        ErrorKind::Utf8 { err, .. } => {
            format!("line {line}: field {} is not UTF-8", err.field() + 1)
        }
        _ => format!("line {line}: {error}"),
    }
}
