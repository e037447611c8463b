//! What every command has at hand.

use std::path::PathBuf;

use serde::de::DeserializeOwned;

use super::{Answer, Client, Exit, Failure, Paint, Target, Terminal, escape};

/// What every command has at hand.
#[derive(Debug, Clone)]
pub struct Context {
    /// The host to send requests to, or why it cannot be told; commands that ask none do not
    /// mind.
    pub target: Result<Target, Failure>,
    /// Whether JSON is printed, for programs.
    pub json: bool,
    /// Standard output, as people or programs read it.
    pub terminal: Terminal,
}

impl Context {
    /// Makes a client of the host.
    pub fn client(&self) -> Result<Client, Failure> {
        Client::of(self.target()?)
    }

    /// Returns the host to send requests to.
    pub fn target(&self) -> Result<&Target, Failure> {
        self.target.as_ref().map_err(Clone::clone)
    }

    /// Returns the namespace of a request: the one that its command names, else that of the
    /// environment or the profile.
    pub fn namespace(&self, named: Option<String>) -> Option<String> {
        named.or_else(|| self.target.as_ref().ok()?.namespace.clone())
    }

    /// Writes a line for people.
    pub fn line(&self, text: &str) {
        self.terminal.line(text);
    }

    /// Shows rows as a table, or the line `none` where there are none.
    pub fn rows<T>(
        &self,
        rows: &[T],
        none: &str,
        header: &[&str],
        row: impl Fn(&T) -> Vec<(Paint, String)>,
    ) {
        if rows.is_empty() {
            return self.line(none);
        }
        let rows: Vec<_> = rows.iter().map(row).collect();
        self.terminal.table(header, &rows);
    }

    /// Prints an answer for programs, if they are to read it; returns whether they are.
    pub fn prints_json(&self, answer: &Answer) -> bool {
        if self.json {
            self.terminal.json(&answer.text());
        }
        self.json
    }

    /// Shows an answer: as it is to programs, with `show` to people.
    pub fn answered<T: DeserializeOwned>(
        &self,
        answer: &Answer,
        show: impl FnOnce(T),
    ) -> Result<Exit, Failure> {
        if !self.prints_json(answer) {
            show(answer.read()?);
        }
        Ok(Exit::Ok)
    }

    /// Says how to read the page that follows, if there is one.
    pub fn next_page(&self, cursor: Option<&str>) {
        if let Some(cursor) = cursor {
            let more = format!("more with --after {}", escape(cursor));
            let line = self.terminal.paint(Paint::Dim, &more);
            self.terminal.line(&line);
        }
    }
}

/// Returns the path of this binary, which also compiles components and runs hosts.
pub fn this_binary() -> Result<PathBuf, Failure> {
    let failed = |error| Failure::new(Exit::Fault, format!("cannot find this program: {error}"));
    std::env::current_exe().map_err(failed)
}
