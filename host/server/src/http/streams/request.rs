//! What a reader of a stream asks for: which frames of it, and how long it waits for some.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use axum::http::HeaderMap;
use model::{Invalid, Limits, LogPlace, StreamCursor, Visibility, check_range};

use crate::api::WAIT_MS_MAX;
use crate::http::problem::Problem;
use crate::http::query::{FromQuery, Given};
use crate::http::sse::{LAST_EVENT_ID, last_event_id};

/// How long a stream of events is silent before a comment keeps the connection open.
pub const SILENT_MAX: Duration = Duration::from_secs(10);
/// Name of the parameter that holds a cursor.
const AFTER: &str = "after";

/// Which frames of a stream are read: those between two cursors, both of them included.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Range {
    /// First frame: `start` (when absent), `end`, a time in milliseconds since 1970, or an id
    #[param(value_type = Option<String>)]
    pub from: StreamCursor,
    /// Last frame: `end` (when absent), `start`, a time in milliseconds since 1970, or an id
    #[param(value_type = Option<String>)]
    pub to: StreamCursor,
    /// Most frames of the page, 1 to 10000; 100 when absent
    #[param(value_type = Option<u32>)]
    pub limit: u32,
    /// Which frames are shown: all when absent
    #[param(value_type = Option<String>)]
    pub visibility: Visibility,
}

impl FromQuery for Range {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        Ok(Self {
            from: cursor(given, "from")?.unwrap_or(StreamCursor::Start),
            to: cursor(given, "to")?.unwrap_or(StreamCursor::End),
            limit: limit(given)?,
            visibility: given.value("visibility")?.unwrap_or_default(),
        })
    }
}

/// Which frames of a stream are followed: those behind a cursor.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Tail {
    /// The id of the frame read last, or a time in milliseconds since 1970; from the first
    /// frame on when absent
    #[param(value_type = Option<String>)]
    after: Option<StreamCursor>,
    /// Most frames of a page, 1 to 10000; 100 when absent
    #[param(value_type = Option<u32>)]
    pub limit: u32,
    /// Longest to wait for a frame while there is none, 0 to 30000; 0 when absent. A stream
    /// waits until the attempt has ended
    #[param(value_type = Option<u32>)]
    wait_ms: u32,
    /// Which frames are shown: all when absent
    #[param(value_type = Option<String>)]
    pub visibility: Visibility,
}

impl FromQuery for Tail {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        // Also where the header takes precedence: a text that is not a valid cursor is refused.
        let after: Option<StreamCursor> = after(given)?;
        if let Some(open) = after.filter(|after| !after.is_concrete()) {
            let detail = format!("{open} is not an id; 0-0 is before the first frame");
            return Err(Invalid::new(AFTER, detail).into());
        }
        Ok(Self {
            after,
            limit: limit(given)?,
            wait_ms: wait_ms(given)?,
            visibility: given.value("visibility")?.unwrap_or_default(),
        })
    }
}

impl Tail {
    /// Returns the frame to begin behind: the one that a browser saw last, if it says so.
    ///
    /// # Errors
    /// The cursor is not one, or the header is given more than once.
    pub fn after(&self, headers: &HeaderMap) -> Result<StreamCursor, Problem> {
        let last = last(headers)?.or(self.after);
        Ok(last.unwrap_or(StreamCursor::from_beginning()))
    }

    /// Returns how long to wait.
    pub const fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms as u64)
    }
}

/// Which part of a log is read.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogAfter {
    /// The `cursor` of what was read last; from the beginning when absent
    #[param(value_type = Option<String>)]
    after: Option<LogPlace>,
}

impl FromQuery for LogAfter {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let after = after(given)?;
        Ok(Self { after })
    }
}

impl LogAfter {
    /// Returns the place to begin behind: the one that a browser saw last, if it says so.
    ///
    /// # Errors
    /// The place is not one, or the header is given more than once.
    pub fn place(&self, headers: &HeaderMap) -> Result<LogPlace, Problem> {
        let last = last(headers)?.or(self.after);
        Ok(last.unwrap_or(LogPlace::START))
    }
}

/// How long a reader of a log waits.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogWait {
    /// Longest to wait for a text while there is none, 0 to 30000; 0 when absent. A stream
    /// waits until the attempt has ended
    #[param(value_type = Option<u32>)]
    wait_ms: u32,
}

impl FromQuery for LogWait {
    fn take(given: &mut Given) -> Result<Self, Problem> {
        let wait_ms = wait_ms(given)?;
        Ok(Self { wait_ms })
    }
}

impl LogWait {
    /// Returns how long to wait.
    pub const fn duration(&self) -> Duration {
        Duration::from_millis(self.wait_ms as u64)
    }
}

fn wait_ms(given: &mut Given) -> Result<u32, Problem> {
    let wait_ms = given.value("wait_ms")?.unwrap_or(0);
    check_range("wait_ms", wait_ms, 0..=WAIT_MS_MAX)?;
    Ok(wait_ms)
}

/// Takes the most frames of a page. The engine refuses more than a page may have, by name.
fn limit(given: &mut Given) -> Result<u32, Problem> {
    let limit = given.value("limit")?;
    let limit = limit.unwrap_or(Limits::STREAM_PAGE_DEFAULT);
    check_range("limit", limit, 1..=u32::MAX)?;
    Ok(limit)
}

fn cursor(given: &mut Given, name: &'static str) -> Result<Option<StreamCursor>, Problem> {
    let sent = given.text(name)?;
    sent.map(|sent| read(name, &sent)).transpose()
}

/// Takes the cursor to begin behind.
fn after<T>(given: &mut Given) -> Result<Option<T>, Problem>
where
    T: FromStr,
    T::Err: Display,
{
    let sent = given.text(AFTER)?;
    sent.map(|sent| read(AFTER, &sent)).transpose()
}

/// Returns the place that a browser saw last, if it says so.
fn last<T>(headers: &HeaderMap) -> Result<Option<T>, Problem>
where
    T: FromStr,
    T::Err: Display,
{
    let last = last_event_id(headers)?;
    last.map(|last| read(LAST_EVENT_ID, &last)).transpose()
}

/// Reads a cursor that was sent in the parameter or header `name`.
fn read<T>(name: &'static str, sent: &str) -> Result<T, Problem>
where
    T: FromStr,
    T::Err: Display,
{
    let wrong = |error: T::Err| Invalid::new(name, error.to_string());
    Ok(sent.parse().map_err(wrong)?)
}
