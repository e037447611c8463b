//! Cursors of streams, as readers write them.

use std::fmt;
use std::str::FromStr;

use super::FrameId;
use crate::truncated;
use crate::wire::serialize_as_text;

/// A place in a stream: `start`, `end`, `<ms>` or `<ms>-<seq>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamCursor {
    /// Before the first frame.
    Start,
    /// After the last frame.
    End,
    /// At a frame, or where one could be.
    At {
        /// Milliseconds of the id.
        ms: u64,
        /// Sequence number of the id; absent: the first of that millisecond where a range
        /// begins, the last where it ends.
        seq: Option<u64>,
    },
}

/// Why a text is not a cursor of a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamCursorError {
    /// It is empty.
    #[error("stream cursor must not be empty")]
    Empty,
    /// It is a marker of another system.
    #[error("bare marker '{0}' is not a valid stream cursor; use 'start' or 'end'")]
    BareMarkerRejected(String),
    /// It is something else.
    #[error("invalid stream cursor '{0}' (expected 'start', 'end', '<ms>', or '<ms>-<seq>')")]
    Malformed(String),
}

/// Most bytes of a wrong cursor that its error quotes.
const QUOTED_BYTES_MAX: usize = 64;

impl StreamCursor {
    /// Returns the cursor after which every frame is.
    pub const fn from_beginning() -> Self {
        Self::At {
            ms: 0,
            seq: Some(0),
        }
    }

    /// Whether it is an id, which a tail must begin after, and not `start` or `end`.
    pub const fn is_concrete(&self) -> bool {
        matches!(self, Self::At { .. })
    }

    /// Returns the id at which a range that begins here begins, included.
    pub const fn first(self) -> FrameId {
        match self {
            Self::Start => FrameId::ZERO,
            Self::End => FrameId::from_place(i64::MAX),
            Self::At { ms, seq: Some(seq) } => FrameId { ms, seq },
            Self::At { ms, seq: None } => FrameId { ms, seq: 0 },
        }
    }

    /// Returns the id at which a range that ends here ends, included.
    pub const fn last(self) -> FrameId {
        match self {
            Self::At { ms, seq: None } => FrameId { ms, seq: u64::MAX },
            _ => self.first(),
        }
    }
}

impl From<FrameId> for StreamCursor {
    fn from(id: FrameId) -> Self {
        Self::At {
            ms: id.ms,
            seq: Some(id.seq),
        }
    }
}

impl fmt::Display for StreamCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::End => f.write_str("end"),
            Self::At { ms, seq: None } => write!(f, "{ms}"),
            Self::At { ms, seq: Some(seq) } => write!(f, "{ms}-{seq}"),
        }
    }
}

impl FromStr for StreamCursor {
    type Err = StreamCursorError;

    fn from_str(text: &str) -> Result<Self, StreamCursorError> {
        match text {
            "" => return Err(StreamCursorError::Empty),
            "-" | "+" => return Err(StreamCursorError::BareMarkerRejected(text.to_owned())),
            "start" => return Ok(Self::Start),
            "end" => return Ok(Self::End),
            _ => {}
        }
        let malformed = || {
            let shown: String = truncated(text, QUOTED_BYTES_MAX).escape_default().collect();
            StreamCursorError::Malformed(shown)
        };
        let (ms, seq) = match text.split_once('-') {
            Some((ms, seq)) => (ms, Some(seq)),
            None => (text, None),
        };
        Ok(Self::At {
            ms: number(ms).ok_or_else(malformed)?,
            seq: match seq {
                Some(seq) => Some(number(seq).ok_or_else(malformed)?),
                None => None,
            },
        })
    }
}

/// Reads digits; a number that is too large is the largest there is.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

serialize_as_text!(StreamCursor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_start_end_and_ids() {
        for text in [
            "start",
            "end",
            "0",
            "0-0",
            "1713100800150",
            "1713100800150-7",
        ] {
            let cursor: StreamCursor = text.parse().expect(text);
            assert_eq!(cursor.to_string(), text);
            assert_eq!(
                cursor.is_concrete(),
                text.starts_with(|c: char| c.is_ascii_digit())
            );
            let json = serde_json::to_string(&cursor).expect("writes");
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(
                serde_json::from_str::<StreamCursor>(&json).expect("reads"),
                cursor
            );
        }
        assert_eq!(StreamCursor::from_beginning().to_string(), "0-0");
    }

    #[test]
    fn each_wrong_text_is_refused_by_its_name() {
        let refused = |text: &str| text.parse::<StreamCursor>().expect_err(text);
        assert_eq!(refused(""), StreamCursorError::Empty);
        for marker in ["-", "+"] {
            assert_eq!(
                refused(marker),
                StreamCursorError::BareMarkerRejected(marker.to_owned())
            );
        }
        for text in [
            "abc",
            "-1",
            "1-",
            "1-2-3",
            "+1",
            "1.5",
            " 1",
            "Start",
            "END",
            "١٢",
            "1-٢",
            "0x1",
            "\u{1b}[2J",
        ] {
            assert!(
                matches!(refused(text), StreamCursorError::Malformed(_)),
                "{text}"
            );
        }
        assert_eq!(
            refused("1-x").to_string(),
            "invalid stream cursor '1-x' (expected 'start', 'end', '<ms>', or '<ms>-<seq>')"
        );
        let long = "9".repeat(1 << 16) + "x";
        assert!(refused(&long).to_string().len() < 250);
        assert!(!refused("\u{1b}[2J").to_string().contains('\u{1b}'));
    }

    #[test]
    fn a_cursor_without_a_sequence_number_is_the_whole_millisecond() {
        let cursor: StreamCursor = "7".parse().expect("a cursor");
        assert_eq!(
            FrameId::from_place(cursor.first().place()),
            FrameId { ms: 7, seq: 0 }
        );
        assert_eq!(cursor.last().place() + 1, FrameId { ms: 8, seq: 0 }.place());
        let far: StreamCursor = "99999999999999999999999-1".parse().expect("a cursor");
        assert_eq!(far.first().place(), i64::MAX);
        assert_eq!(StreamCursor::End.last().place(), i64::MAX);
        assert_eq!(StreamCursor::Start.first().place(), 0);
    }
}
