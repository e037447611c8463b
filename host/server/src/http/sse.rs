//! Server-Sent Events: answers that continue for as long as their caller reads.
//!
//! ```text
//! pages ─▶ piece ─▶ connection     a piece is asked for when the one before was taken
//!   └────▶ why it ends             an event of its own, then the end
//! ```
//!
//! A stream asks for a piece when the connection has taken the one before, and holds nothing
//! else. It ends by itself, with an event that says why, when the credential of its caller
//! ends, when the host closes, and when the database cannot be reached. A connection that
//! takes nothing for [`UNREAD_MAX`] is cut off, and the stream with it: what cannot be
//! written cannot be told.
//!
//! [`UNREAD_MAX`]: super::transport::unread::UNREAD_MAX

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, stream};
use serde_json::json;

use super::App;
use super::access::CredentialEnd;
use super::ops::counters::Streams;
use super::problem::{Code, Problem};
use super::transport::unread::Unread;

/// Header in which a browser says which event of a stream it saw last.
pub const LAST_EVENT_ID: &str = "last-event-id";
/// The media type of a stream.
const EVENT_STREAM: &str = "text/event-stream";
/// What readers do after a break: connect again after so many milliseconds.
const RETRY: &str = "retry: 1000\n\n";
/// The name under which a reader learns that the database cannot be reached.
const DISCONNECTED: &str = "disconnected";
/// The verdict on a stream whose reader does not read.
const BACKPRESSURE: &str = "backpressure";
/// The verdict on a stream whose reader went away.
const CLIENT_GONE: &str = "client_gone";

/// What a stream is made of.
pub trait Pages: Send + 'static {
    /// Returns what is written next, as soon as there is something; without anything new
    /// after some seconds a comment, so that the connection stays open.
    ///
    /// # Errors
    /// Why the stream ends.
    fn next(&mut self) -> impl Future<Output = Result<Piece, Problem>> + Send;

    /// Returns where the reader is, as an id of the stream; absent before the first one.
    fn cursor(&self) -> Option<String>;

    /// Names what is read, for people.
    fn subject(&self) -> String;

    /// Returns where such streams are counted.
    fn counted(app: &App) -> &Streams;
}

/// What is written next.
#[derive(Debug)]
pub struct Piece {
    /// Whole events and comments.
    pub text: String,
    /// Why nothing follows; absent if the stream continues.
    pub end: Option<End>,
}

/// Why a stream ends.
#[derive(Debug)]
pub enum End {
    /// The text says so, in an event of this name.
    Told(&'static str),
    /// An event behind the text is to say so.
    Because(Problem),
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self { text, end: None }
    }
}

/// Who reads a stream.
pub struct Reader {
    /// The state of the host.
    pub app: App,
    /// Tells when the credential of the caller ends.
    pub credential: CredentialEnd,
    /// Tells whether the connection takes what is written; absent if nothing watches it.
    pub unread: Option<Unread>,
}

/// A stream that continues.
struct Following<P: Pages> {
    reader: Reader,
    pages: P,
    begins: bool,
    /// Why it ended; absent while it continues.
    ended: Option<&'static str>,
}

/// Whether a caller asks for a stream.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let media_type = range.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case(EVENT_STREAM)
    })
}

/// Returns the id of the event that a browser saw last, if it says so.
///
/// # Errors
/// The header is given more than once.
pub fn last_event_id(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut seen = headers.get_all(LAST_EVENT_ID).iter();
    let last = match (seen.next(), seen.next()) {
        (None, _) => None,
        (Some(last), None) => last.to_str().ok().map(str::to_owned),
        (Some(_), Some(_)) => {
            let detail = format!("the header `{LAST_EVENT_ID}` is given more than once");
            return Err(Problem::new(Code::InvalidQuery, detail));
        }
    };
    Ok(last.filter(|last| !last.is_empty()))
}

/// Refuses to continue a stream without the database: what was not read from it says
/// nothing.
///
/// # Errors
/// The database cannot be reached.
pub async fn refuse_without_database(app: &App) -> Result<(), Problem> {
    if app.engine.is_database_up().await {
        return Ok(());
    }
    let detail = "the database cannot be reached: connect again, here or at another host";
    Err(Problem::new(Code::Unavailable, detail))
}

/// Answers with a stream.
pub fn answer(reader: Reader, pages: impl Pages) -> Response {
    const HEADERS: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, EVENT_STREAM),
        (header::CACHE_CONTROL, "no-store"),
        // Tells proxies that buffer answers to pass these on at once.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (HEADERS, Body::from_stream(pieces(reader, pages))).into_response()
}

fn pieces<P: Pages>(
    reader: Reader,
    pages: P,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    P::counted(&reader.app).begin();
    let following = Following {
        reader,
        pages,
        begins: true,
        ended: None,
    };
    stream::unfold(following, async |mut following| {
        if following.ended.is_some() {
            return None;
        }
        Some((Ok(following.next().await), following))
    })
}

impl<P: Pages> Following<P> {
    /// Returns what is written next.
    async fn next(&mut self) -> Bytes {
        let mut text = match std::mem::take(&mut self.begins) {
            true => RETRY.to_owned(),
            false => String::new(),
        };
        let Reader {
            app, credential, ..
        } = &mut self.reader;
        let piece = tokio::select! {
            biased;
            () = credential.reached() => Err(Problem::unauthenticated()),
            () = app.closed() => Err(Problem::draining()),
            piece = self.pages.next() => piece,
        };
        let end = match piece {
            Ok(piece) => {
                text.push_str(&piece.text);
                piece.end
            }
            Err(why) => Some(End::Because(why)),
        };
        match end {
            None => {}
            Some(End::Told(name)) => self.ended = Some(name),
            Some(End::Because(why)) => text.push_str(&self.end(&why)),
        }
        Bytes::from(text)
    }

    /// Ends the stream; returns the event that says why.
    fn end(&mut self, why: &Problem) -> String {
        let name = match why.code {
            Code::Unavailable => DISCONNECTED,
            other => other.as_str(),
        };
        self.ended = Some(name);
        let cursor = self.pages.cursor();
        let data = json!({"cursor": cursor, "code": why.code, "detail": why.detail});
        format!("event: {name}\ndata: {data}\n\n")
    }
}

impl<P: Pages> Drop for Following<P> {
    fn drop(&mut self) {
        let unread = self.reader.unread.as_ref().is_some_and(Unread::is_cut);
        let verdict = match self.ended {
            Some(ended) => ended,
            None if unread => BACKPRESSURE,
            None => CLIENT_GONE,
        };
        P::counted(&self.reader.app).end(verdict);
        if verdict == BACKPRESSURE {
            let subject = self.pages.subject();
            tracing::warn!(%subject, "a stream ended with backpressure: its reader did not read");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_names_the_type_of_streams_gets_one() {
        let of = |accepted: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accepted.parse().expect("a value"));
            is_wanted(&headers)
        };
        assert!(of("text/event-stream"));
        assert!(of("application/json;q=0.1, Text/Event-Stream; q=1"));
        for other in ["*/*", "text/*", "application/json", ""] {
            assert!(!of(other), "{other}");
        }
    }
}
