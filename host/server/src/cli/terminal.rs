//! What people see: colours and live lines on a terminal only, tables, and
//! texts of strangers made harmless.

use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use model::PublicState;
use time::OffsetDateTime;

/// A colour or weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// Bold.
    Bold,
    /// Faint.
    Dim,
    /// Red.
    Red,
    /// Green.
    Green,
    /// Yellow.
    Yellow,
    /// Cyan.
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

    /// Returns the colour of a state.
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

/// Where a command writes for people.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Whether standard output is a terminal: live lines make sense.
    pub live: bool,
    colours: bool,
}

impl Terminal {
    /// Looks at standard output and `NO_COLOR`.
    pub fn of_process() -> Self {
        let live = std::io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            live,
            colours: live && !refused,
        }
    }

    /// Colours a text.
    pub fn paint(self, paint: Paint, text: &str) -> String {
        if self.colours && paint != Paint::Plain {
            format!("\x1b[{}m{text}\x1b[0m", paint.code())
        } else {
            text.to_owned()
        }
    }

    /// Writes a line, made harmless but for the colours of [`Terminal::paint`].
    pub fn line(self, text: &str) {
        emit(format!("{}\n", painted(text)).as_bytes());
    }

    /// Writes JSON for programs: as it is, and on a terminal the same value made
    /// harmless.
    pub fn json(self, text: &str) {
        if self.live {
            emit(format!("{}\n", neutralise_json(text)).as_bytes());
        } else {
            emit(format!("{text}\n").as_bytes());
        }
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
        emit(text.as_bytes());
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

/// Why standard output took no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// Its reader went away, as `head` does.
    Closed,
    /// It could not be written, such as on a full device.
    Failed(String),
}

/// What happened to standard output first.
static LOST: Mutex<Option<Lost>> = Mutex::new(None);

/// Writes bytes to standard output, the one place that does. What fails is kept for
/// [`lost`]: the command may have done what it was asked, and has to say so.
pub fn emit(bytes: &[u8]) {
    let mut lost = LOST.lock().unwrap_or_else(PoisonError::into_inner);
    if lost.is_some() {
        return;
    }
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        *lost = Some(match error.kind() {
            ErrorKind::BrokenPipe => Lost::Closed,
            _ => Lost::Failed(error.to_string()),
        });
    }
}

/// Returns why something written to standard output did not arrive, if so.
pub fn lost() -> Option<Lost> {
    LOST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Writes a line to standard error, made harmless.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", neutralise_lines(text));
}

/// Makes a line harmless, whatever its parts are from, but keeps what
/// [`Terminal::paint`] writes: `ESC [`, a number, `m`.
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
                safe.push_str(&neutralise_lines(rest));
            }
            _ => {
                safe.push_str(if at > 0 { "\\x1b" } else { "" });
                safe.push_str(&neutralise_lines(part));
            }
        }
    }
    safe
}

/// Escapes what could steer a terminal as JSON does: it stands only in texts there.
fn neutralise_json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\n' | '\t') || !(c.is_control() || disguises(c)) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

/// Escapes whatever could steer a terminal or disguise text, line ends included.
pub fn neutralise(text: &str) -> String {
    escape(text, |_| false)
}

/// Like [`neutralise`], but keeps line ends and tabs.
pub fn neutralise_lines(text: &str) -> String {
    escape(text, |c| matches!(c, '\n' | '\t'))
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if !keep(c) && (c.is_control() || disguises(c)) {
            // Writing to a string cannot fail.
            let _ = match c {
                '\n' => write!(safe, "\\n"),
                '\r' => write!(safe, "\\r"),
                '\t' => write!(safe, "\\t"),
                c if c.is_ascii() => write!(safe, "\\x{:02x}", c as u32),
                c => write!(safe, "\\u{{{:x}}}", c as u32),
            };
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Characters that change the order or place of others, or cannot be seen.
const fn disguises(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Shows a time, in UTC to the second.
pub fn when(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!(
        "{} {:02}:{:02}:{:02}",
        at.date(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Shows a size.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Terminal = Terminal {
        live: false,
        colours: false,
    };

    #[test]
    fn nothing_a_guest_says_can_steer_a_terminal() {
        assert_eq!(
            neutralise("a\x1b[2Jb\r\n\u{9b}c\u{202e}d\0\x7f"),
            "a\\x1b[2Jb\\r\\n\\u{9b}c\\u{202e}d\\x00\\x7f"
        );
        assert_eq!(neutralise_lines("a\n\tb\r"), "a\n\tb\\r");
        assert_eq!(neutralise("größe 漢字 🙂"), "größe 漢字 🙂");
    }

    #[test]
    fn a_line_keeps_its_colours_and_nothing_else_that_steers() {
        let red = Terminal {
            live: true,
            colours: true,
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
            let rest = shown.strip_prefix(&red).expect("the colours");
            assert!(!rest.contains(char::is_control), "{rest:?}");
        }
    }

    #[test]
    fn json_made_harmless_is_the_same_value() {
        let text = "{\"a\": \"\u{7f}\u{9b}2J\u{202e}\u{e0001}é\"}\n";
        let safe = neutralise_json(text);
        assert!(!safe.trim_end().contains(char::is_control), "{safe}");
        assert!(!safe.contains('\u{202e}'), "{safe}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(read(&safe), read(text));
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
