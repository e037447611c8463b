//! The log of one attempt: records of the guest and what it wrote to standard
//! output and standard error, in order, as lines of text.
//!
//! ```text
//!     12 ms  info   resized to 320x200
//!     13 ms  stderr thread '<unnamed>' panicked at src/lib.rs:7:5
//! ```
//!
//! Nothing is allocated until something is written. What exceeds the bounds is
//! dropped and counted in one closing line.

/// Most bytes of standard error quoted in the message of a trap.
const TAIL_BYTES_MAX: usize = 2048;
/// Most bytes of an unfinished line before it is recorded as it is.
const LINE_BYTES_MAX: usize = 4096;

/// Where a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogSource {
    /// The interface `log`, at a level named so.
    Level(&'static str),
    /// The standard output of the guest.
    Stdout,
    /// The standard error of the guest.
    Stderr,
}

impl LogSource {
    const fn name(self) -> &'static str {
        match self {
            Self::Level(name) => name,
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Lines kept of one attempt, within bounds.
#[derive(Debug, Default)]
pub(crate) struct AttemptLog {
    text: Vec<u8>,
    records: u32,
    dropped_records: u32,
    dropped_bytes: u64,
    stdout_line: Vec<u8>,
    stderr_line: Vec<u8>,
    stderr_tail: Vec<u8>,
    bytes_max: usize,
    records_max: u32,
    /// How many bytes of the text readers can follow already.
    shown_bytes: usize,
}

impl AttemptLog {
    pub(crate) fn new(bytes_max: u32, records_max: u32) -> Self {
        Self {
            bytes_max: bytes_max as usize,
            records_max,
            ..Self::default()
        }
    }

    /// Adds one record; further lines of it are indented, so that a message
    /// cannot look like another record.
    pub(crate) fn record(&mut self, at_ms: u64, source: LogSource, message: &[u8]) {
        let line = self.line_of(at_ms, source, message);
        if let Some(line) = line.filter(|line| self.text.len() + line.len() <= self.bytes_max) {
            self.records += 1;
            self.text.extend_from_slice(line.as_bytes());
        } else {
            self.dropped_records = self.dropped_records.saturating_add(1);
            self.dropped_bytes += message.len() as u64;
        }
    }

    /// Makes the line of a record; none for what cannot fit in any case, since a
    /// message of line ends becomes many times as long.
    fn line_of(&self, at_ms: u64, source: LogSource, message: &[u8]) -> Option<String> {
        let ends = message.iter().rev().take_while(|&&byte| byte == b'\n');
        let message = &message[..message.len() - ends.count()];
        if self.records >= self.records_max || self.text.len() + message.len() > self.bytes_max {
            return None;
        }
        let text = String::from_utf8_lossy(message).replace('\n', "\n        | ");
        Some(format!("{at_ms:>6} ms  {:<6} {text}\n", source.name()))
    }

    /// Adds output of a stream, a record for each line.
    pub(crate) fn write(&mut self, at_ms: u64, source: LogSource, bytes: &[u8]) {
        if source == LogSource::Stderr {
            let tail = bytes.len().saturating_sub(TAIL_BYTES_MAX);
            self.stderr_tail.extend_from_slice(&bytes[tail..]);
            let excess = self.stderr_tail.len().saturating_sub(TAIL_BYTES_MAX);
            self.stderr_tail.drain(..excess);
        }
        let mut line = std::mem::take(self.line(source));
        for mut piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            while !piece.is_empty() {
                let (now, later) = piece.split_at(cut(piece, LINE_BYTES_MAX - line.len()));
                line.extend_from_slice(now);
                if line.ends_with(b"\n") || !later.is_empty() || line.len() >= LINE_BYTES_MAX {
                    self.record(at_ms, source, &line);
                    line.clear();
                }
                piece = later;
            }
        }
        *self.line(source) = line;
    }

    /// Returns the last of what was written to standard error.
    pub(crate) fn stderr_tail(&self) -> String {
        String::from_utf8_lossy(&self.stderr_tail).trim().to_owned()
    }

    /// Returns how many bytes are kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.text.len() as u64
    }

    /// Returns the finished lines kept so far.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Returns finished lines that readers cannot follow yet, at most `bytes_max` of them
    /// cut after a line if there is one, and where they begin in the text; `None` if there
    /// are none. What is returned here is also the beginning of every later snapshot.
    pub(crate) fn unshown(&self, bytes_max: usize) -> Option<(u64, &[u8])> {
        let rest = &self.text[self.shown_bytes..];
        let mut piece = &rest[..cut(rest, bytes_max)];
        if piece.len() < rest.len()
            && let Some(end) = piece.iter().rposition(|&byte| byte == b'\n')
        {
            piece = &piece[..=end];
        }
        (!piece.is_empty()).then_some((self.shown_bytes as u64, piece))
    }

    /// Notes that readers can follow the text up to `end`.
    pub(crate) fn shown(&mut self, end: u64) {
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        self.shown_bytes = self.shown_bytes.max(end.min(self.text.len()));
    }

    /// Discards the finished lines, so that the bounds apply to later ones alone, and
    /// returns how many records were dropped.
    pub(crate) fn reset(&mut self) -> u32 {
        self.text.clear();
        self.shown_bytes = 0;
        self.records = 0;
        self.dropped_bytes = 0;
        std::mem::take(&mut self.dropped_records)
    }

    /// Returns the lines so far, or `None` if there are none.
    pub(crate) fn snapshot(&mut self, at_ms: u64) -> Option<Vec<u8>> {
        for source in [LogSource::Stdout, LogSource::Stderr] {
            let line = std::mem::take(self.line(source));
            if !line.is_empty() {
                self.record(at_ms, source, &line);
            }
        }
        let mut text = self.text.clone();
        if self.dropped_records > 0 {
            text.extend_from_slice(
                format!(
                    "{at_ms:>6} ms  host   {} more records ({} bytes) were dropped\n",
                    self.dropped_records, self.dropped_bytes
                )
                .as_bytes(),
            );
        }
        (!text.is_empty()).then_some(text)
    }

    fn line(&mut self, source: LogSource) -> &mut Vec<u8> {
        match source {
            LogSource::Stderr => &mut self.stderr_line,
            LogSource::Stdout | LogSource::Level(_) => &mut self.stdout_line,
        }
    }
}

/// Returns where a text is cut so that at most `max` bytes come before: between
/// characters, where there is one.
fn cut(bytes: &[u8], max: usize) -> usize {
    if bytes.len() <= max {
        return bytes.len();
    }
    let begins = |at: &usize| bytes[*at] & 0xC0 != 0x80;
    (max.saturating_sub(3)..=max)
        .rev()
        .find(begins)
        .unwrap_or(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(log: &mut AttemptLog) -> String {
        String::from_utf8(log.snapshot(9).unwrap_or_default()).unwrap()
    }

    #[test]
    fn output_becomes_one_record_for_each_line() {
        let mut log = AttemptLog::new(4096, 10);
        assert_eq!(log.snapshot(0), None);
        log.write(1, LogSource::Stdout, b"one\ntw");
        log.write(2, LogSource::Stderr, b"oops\n");
        log.write(3, LogSource::Stdout, b"o\nrest");
        let text = text(&mut log);
        let lines: Vec<_> = text.lines().map(|line| line[11..].trim()).collect();
        assert_eq!(
            lines,
            ["stdout one", "stderr oops", "stdout two", "stdout rest"]
        );
        assert_eq!(log.stderr_tail(), "oops");
    }

    #[test]
    fn records_beyond_the_bounds_are_counted_in_one_closing_line() {
        let mut log = AttemptLog::new(4096, 2);
        for _ in 0..5 {
            log.record(0, LogSource::Level("info"), b"abc");
        }
        let text = text(&mut log);
        assert_eq!(text.lines().count(), 3);
        assert!(
            text.ends_with("3 more records (9 bytes) were dropped\n"),
            "{text}"
        );
    }

    #[test]
    fn a_flood_is_bounded_in_memory_as_well() {
        let mut log = AttemptLog::new(64 << 10, 2000);
        for _ in 0..4 {
            for source in [LogSource::Stdout, LogSource::Stderr] {
                log.write(0, source, &vec![b'x'; 4 << 20]);
            }
        }
        let kept = [
            &log.text,
            &log.stdout_line,
            &log.stderr_line,
            &log.stderr_tail,
        ];
        let kept: usize = kept.map(Vec::capacity).iter().sum();
        assert!(kept <= 256 << 10, "{kept} bytes are kept");
    }

    #[test]
    fn what_can_be_followed_is_the_beginning_of_what_is_recorded() {
        let mut log = AttemptLog::new(64 << 10, 100);
        assert_eq!(log.unshown(100), None);
        let mut followed = Vec::new();
        for round in 0..5 {
            log.record(round, LogSource::Level("info"), b"a record");
            log.write(round, LogSource::Stdout, b"half a line, ");
            log.write(round, LogSource::Stderr, "\u{1f980}\n".as_bytes());
            while let Some((from, piece)) = log.unshown(40) {
                assert_eq!(from, followed.len() as u64);
                assert!(piece.len() <= 40);
                followed.extend_from_slice(piece);
                log.shown(followed.len() as u64);
            }
        }
        assert_eq!(followed.iter().filter(|&&byte| byte == b'\n').count(), 10);
        let recorded = log.snapshot(9).expect("lines");
        assert!(recorded.starts_with(&followed));
        assert!(
            recorded.len() > followed.len(),
            "the half line comes at last"
        );
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let mut log = AttemptLog::new(64 << 10, 10);
        log.write(0, LogSource::Stdout, b"x");
        log.write(0, LogSource::Stdout, "\u{1f980}".repeat(2000).as_bytes());
        let text = text(&mut log);
        assert_eq!(text.lines().count(), 2);
        assert_eq!(text.matches('\u{1f980}').count(), 2000, "none is broken");
    }

    #[test]
    fn a_message_cannot_look_like_another_record() {
        let mut log = AttemptLog::new(4096, 2);
        log.record(0, LogSource::Level("info"), b"a\n     0 ms  error b");
        assert!(
            text(&mut log)
                .lines()
                .nth(1)
                .unwrap()
                .starts_with("        | ")
        );
    }
}
