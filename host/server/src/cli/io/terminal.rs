//! Output for people: lines and tables, with colors and live lines on a terminal only.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use model::PublicState;
use serde::Serialize;

use super::{Exit, Failure, escape_json, escape_lines, to_stdout};

/// The color or weight of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// As the terminal writes by itself.
    Plain,
    /// In a bold font.
    Bold,
    /// In a faint color.
    Dim,
    /// In the color red.
    Red,
    /// In the color green.
    Green,
    /// In the color yellow.
    Yellow,
    /// In the color cyan.
    Cyan,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Cyan => "36",
        }
    }

    /// Returns the color of a state.
    pub const fn of_state(state: PublicState) -> Self {
        match state {
            PublicState::Completed => Self::Green,
            PublicState::Failed => Self::Red,
            PublicState::Cancelled | PublicState::Expired | PublicState::Skipped => Self::Yellow,
            PublicState::Active => Self::Cyan,
            _ => Self::Dim,
        }
    }
}

/// Standard output, as people or programs read it.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Whether standard output is a terminal: live lines make sense.
    pub live: bool,
    colors: bool,
}

impl Terminal {
    /// Inspects standard output, `NO_COLOR` and `TERM`.
    pub fn of_process() -> Self {
        let live = std::io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            live,
            colors: live && !refused,
        }
    }

    /// Paints a text, if the terminal shows colors.
    pub fn paint(self, paint: Paint, text: &str) -> String {
        if self.colors && paint != Paint::Plain {
            format!("\x1b[{}m{text}\x1b[0m", paint.code())
        } else {
            text.to_owned()
        }
    }

    /// Writes a line, escaped but for the colors of [`Terminal::paint`].
    pub fn line(self, text: &str) {
        to_stdout(format!("{}\n", painted(text)).as_bytes());
    }

    /// Writes JSON for programs: as it is, and on a terminal the same value, escaped.
    pub fn json(self, text: &str) {
        if self.live {
            to_stdout(format!("{}\n", escape_json(text)).as_bytes());
        } else {
            to_stdout(format!("{text}\n").as_bytes());
        }
    }

    /// Writes a value as JSON for programs.
    pub fn json_of(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value)
            .map_err(|error| Failure::new(Exit::Fault, error.to_string()))?;
        self.json(&text);
        Ok(())
    }

    /// Replaces the last `above` lines by others, on a terminal only.
    pub fn redraw(self, above: usize, lines: &[String]) {
        if !self.live {
            return;
        }
        let mut text = String::new();
        if above > 0 {
            // Writing to a string cannot fail.
            let _ = write!(text, "\x1b[{above}F\x1b[J");
        }
        for line in lines {
            text.push_str(&painted(line));
            text.push('\n');
        }
        to_stdout(text.as_bytes());
    }

    /// Writes a table: a header, then rows, columns two spaces apart.
    pub fn table(self, header: &[&str], rows: &[Vec<(Paint, String)>]) {
        for line in self.table_lines(header, rows) {
            self.line(&line);
        }
    }

    /// Lays out a table.
    pub fn table_lines(self, header: &[&str], rows: &[Vec<(Paint, String)>]) -> Vec<String> {
        let widths: Vec<usize> = header
            .iter()
            .enumerate()
            .map(|(column, title)| {
                let cells = rows.iter().filter_map(|row| row.get(column));
                let widest = cells.map(|(_, text)| text.chars().count()).max();
                widest.unwrap_or(0).max(title.chars().count())
            })
            .collect();
        let lay = |cells: &mut dyn Iterator<Item = (Paint, &str)>| {
            let mut line = String::new();
            for ((paint, text), width) in cells.zip(&widths) {
                let padding = width.saturating_sub(text.chars().count()) + 2;
                line.push_str(&self.paint(paint, text));
                line.extend(std::iter::repeat_n(' ', padding));
            }
            line.truncate(line.trim_end().len());
            line
        };
        let mut lines = vec![lay(&mut header.iter().map(|title| (Paint::Dim, *title)))];
        for row in rows {
            lines.push(lay(&mut row
                .iter()
                .map(|(paint, text)| (*paint, text.as_str()))));
        }
        lines
    }
}

/// Escapes a line, but keeps what [`Terminal::paint`] writes: `ESC [`, a number, `m`.
fn painted(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (at, part) in text.split('\x1b').enumerate() {
        let paint = part.strip_prefix('[').and_then(|rest| rest.split_once('m'));
        match paint {
            Some((number, rest))
                if at > 0 && matches!(number, "0" | "1" | "2" | "31" | "32" | "33" | "36") =>
            {
                safe.push_str("\x1b[");
                safe.push_str(number);
                safe.push('m');
                safe.push_str(&escape_lines(rest));
            }
            _ => {
                safe.push_str(if at > 0 { "\\x1b" } else { "" });
                safe.push_str(&escape_lines(part));
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Terminal = Terminal {
        live: false,
        colors: false,
    };

    #[test]
    fn a_line_keeps_its_colors_and_nothing_else_that_steers() {
        let red = Terminal {
            live: true,
            colors: true,
        }
        .paint(Paint::Red, "a");
        assert_eq!(painted(&red), "\x1b[31ma\x1b[0m");
        for hostile in [
            "\x1b[2J",
            "\x1b]0;x\x07",
            "\x1b[31",
            "\x1bc",
            "\x1b[5m",
            "\r",
            "\u{9b}2J",
        ] {
            let shown = painted(&format!("{red}{hostile}"));
            let rest = shown.strip_prefix(&red).expect("the colors");
            assert!(!rest.contains(char::is_control), "{rest:?}");
        }
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec![
            (Paint::Green, "a".to_owned()),
            (Paint::Plain, "b".to_owned()),
        ]];
        assert_eq!(
            PLAIN.table_lines(&["KIND", "X"], &rows),
            ["KIND  X", "a     b"]
        );
    }
}
