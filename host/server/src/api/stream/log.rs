//! The log of an attempt, while it runs and afterwards.

use engine::LogPage;
use model::{ClosedReason, LogPlace};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

/// What an attempt has logged behind a place.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AttemptLog {
    /// The text: records are lines, and the last may not be whole yet. Empty when nothing was
    /// logged there.
    pub text: String,
    /// What to pass as `after` to read what follows, `<epoch>-<bytes>`: the lease under which
    /// it was logged, and the bytes of that lease's log up to there.
    pub cursor: String,
    /// Whether more can be read now.
    pub more: bool,
    /// Time the attempt ended: nothing is logged any more. Absent while it may continue.
    #[serde(
        default,
        with = "rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub closed_at: Option<OffsetDateTime>,
    /// How the attempt ended, as its stream says it. Absent while it may continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub closed_reason: Option<ClosedReason>,
}

/// A text of a log that is followed.
#[derive(Debug, Clone, Serialize)]
pub struct LogText {
    /// The place behind it.
    pub cursor: String,
    /// What was logged up to there; the last line may not be whole yet.
    pub text: String,
}

impl AttemptLog {
    /// Returns the text of a page and the place behind it. What ends within a character is
    /// left for the next page.
    pub fn read(page: LogPage) -> (LogPlace, String) {
        let LogPage { text, mut next, .. } = page;
        let whole = match str::from_utf8(&text) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => text.len(),
        };
        // Unless nothing else is there: then the rest of the character never came.
        let whole = if whole == 0 { text.len() } else { whole };
        next.offset -= (text.len() - whole) as u64;
        (next, String::from_utf8_lossy(&text[..whole]).into_owned())
    }
}

impl From<LogPage> for AttemptLog {
    fn from(page: LogPage) -> Self {
        let (more, closed) = (page.more, page.closed);
        let (next, text) = Self::read(page);
        Self {
            text,
            cursor: next.to_string(),
            more,
            closed_at: closed.map(|closed| closed.at),
            closed_reason: closed.map(|closed| closed.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_a_page_ends_within_is_on_the_next_one() {
        let read = |text: &[u8], offset| {
            AttemptLog::read(LogPage {
                text: text.to_vec(),
                next: LogPlace { epoch: 1, offset },
                ..LogPage::default()
            })
        };
        let place = |offset| LogPlace { epoch: 1, offset };
        assert_eq!(read(b"ab", 2), (place(2), "ab".to_owned()));
        assert_eq!(read(b"a\xc3", 2), (place(1), "a".to_owned()));
        assert_eq!(read(b"\xc3", 3), (place(3), "\u{fffd}".to_owned()));
        assert_eq!(read(b"\xffa", 2), (place(2), "\u{fffd}a".to_owned()));
    }
}
