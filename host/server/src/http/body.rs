//! Reads bodies: never more than the cap of the route, never longer than the
//! request may take. The cap counts the bytes after the content encoding is undone.
//!
//! Handlers take a [`Body`] or an [`OptionalBody`]; the cap stands in the line of their
//! route.

use std::time::Duration;

use axum::body::{BodyDataStream, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use futures::StreamExt as _;
use model::{Invalid, ensure};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::App;
use super::limits::RouteLimits;
use super::problem::{Code, Problem};
use super::transport::coding::{Coding, DecodeError, Decoder};
use super::transport::{json, text};

/// How much of a body that is too large is read and thrown away.
const DRAINED_BYTES_MAX: usize = 64 << 20;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of an encoded body is decoded before other requests get their turn: a
/// thousand times as much may come out.
const DECODED_AT_ONCE: usize = 4 << 10;

/// A body in JSON.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A body in JSON that may be left out; an empty one is read as `{}`.
#[derive(Debug)]
pub struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (headers, bytes) = read(request, app).await?;
        json(&headers, &bytes).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<App> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (headers, bytes) = read(request, app).await?;
        if bytes.is_empty() {
            return parse(b"{}").map(Self);
        }
        json(&headers, &bytes).map(Self)
    }
}

/// Reads a body that is to be JSON, up to the cap in the line of its route.
async fn read(request: Request, app: &App) -> Result<(HeaderMap, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    let limits = parts.extensions.get().copied();
    let limits: RouteLimits =
        limits.expect("each route has its limits, and fallbacks read no JSON");
    let cap = app.json_cap(limits.body);
    let bytes = cap.read(&parts.headers, body).await?;
    Ok((parts.headers, bytes))
}

/// How many bytes of a body are accepted, and in what time.
#[derive(Debug, Clone, Copy)]
pub struct Cap {
    /// The setting or rule that a problem names.
    pub limit: &'static str,
    /// Most bytes, after the content encoding is undone.
    pub bytes_max: usize,
    /// Longest the body may take to arrive.
    pub timeout: Duration,
    /// How fast it has to arrive.
    pub pace: Pace,
}

/// How fast a body has to arrive.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Least bytes a second on the average; 0 is any.
    pub bytes_per_second_min: u32,
    /// How long it may be slower at first.
    pub grace: Duration,
}

impl Pace {
    /// Returns when the next piece must have come, counted from the beginning, after so
    /// many bytes.
    fn next_by(self, bytes: usize) -> Option<Duration> {
        let rate = f64::from(self.bytes_per_second_min);
        (rate > 0.0).then(|| self.grace + Duration::from_secs_f64(bytes as f64 / rate))
    }
}

/// The pieces of a body, each within its time.
struct Chunks {
    pieces: BodyDataStream,
    pace: Pace,
    began: Instant,
    bytes: usize,
}

impl Chunks {
    fn new(body: axum::body::Body, pace: Pace) -> Self {
        Self {
            pieces: body.into_data_stream(),
            pace,
            began: Instant::now(),
            bytes: 0,
        }
    }

    /// Returns the next piece; `None` at the end.
    ///
    /// # Errors
    /// It did not come in time, or the connection broke.
    async fn next(&mut self) -> Option<Result<Bytes, Problem>> {
        let piece = match self.pace.next_by(self.bytes) {
            None => self.pieces.next().await,
            Some(by) => match tokio::time::timeout_at(self.began + by, self.pieces.next()).await {
                Ok(piece) => piece,
                Err(_) => return Some(Err(self.pace.too_slow())),
            },
        }?;
        let piece = piece.map_err(|_| broken());
        self.bytes += piece.as_ref().map_or(0, Bytes::len);
        Some(piece)
    }
}

impl Pace {
    fn too_slow(self) -> Problem {
        let least = self.bytes_per_second_min;
        let detail = format!("the body arrives slower than {least} bytes a second");
        Problem::new(Code::RequestTimeout, detail).with("limit", "doors.body_bytes_per_second_min")
    }
}

impl Cap {
    /// Reads a whole body and undoes its content encoding.
    pub async fn read(self, headers: &HeaderMap, body: axum::body::Body) -> Result<Bytes, Problem> {
        let coding = Coding::of(headers)?;
        self.read_as(coding, headers, body).await
    }

    /// Reads a whole body as it is sent, in any content encoding.
    pub async fn read_raw(
        self,
        headers: &HeaderMap,
        body: axum::body::Body,
    ) -> Result<Bytes, Problem> {
        self.read_as(Coding::Identity, headers, body).await
    }

    async fn read_as(
        self,
        coding: Coding,
        headers: &HeaderMap,
        body: axum::body::Body,
    ) -> Result<Bytes, Problem> {
        let declared = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if declared.is_some_and(|bytes| bytes > self.sent_bytes_max(coding)) {
            return Err(self.refuse(body.into_data_stream()).await);
        }
        let collected = async {
            match coding {
                Coding::Identity => self.collect(body).await,
                _ => self.decode(coding, body).await,
            }
        };
        match tokio::time::timeout(self.timeout, collected).await {
            Ok(read) => read,
            Err(_) => Err(Problem::new(
                Code::RequestTimeout,
                format!(
                    "the body did not arrive within {} ms",
                    self.timeout.as_millis()
                ),
            )),
        }
    }

    /// Most bytes on the wire: encoding what does not compress makes it a little longer.
    const fn sent_bytes_max(self, coding: Coding) -> usize {
        match coding {
            Coding::Identity => self.bytes_max,
            _ => self.bytes_max + self.bytes_max / 512 + 1024,
        }
    }

    /// Reads the rest for a while before it refuses: clients that are cut off while
    /// they still send report a broken connection and never see the answer.
    async fn refuse(self, mut rest: BodyDataStream) -> Problem {
        let drained = async {
            let mut bytes = 0;
            while let Some(Ok(chunk)) = rest.next().await
                && bytes < DRAINED_BYTES_MAX
            {
                bytes += chunk.len();
            }
        };
        // A client that takes longer is cut off.
        let _ = tokio::time::timeout(DRAIN_TIMEOUT.min(self.timeout), drained).await;
        Problem::too_large(self.limit, self.bytes_max)
    }

    async fn collect(self, body: axum::body::Body) -> Result<Bytes, Problem> {
        let mut chunks = Chunks::new(body, self.pace);
        let mut first = Bytes::new();
        let mut whole = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            if first.len() + whole.len() + chunk.len() > self.bytes_max {
                return Err(self.refuse(chunks.pieces).await);
            }
            // Most bodies arrive in one piece and need no copy.
            if first.is_empty() && whole.is_empty() {
                first = chunk;
            } else {
                if whole.is_empty() {
                    whole.extend_from_slice(&std::mem::take(&mut first));
                }
                whole.extend_from_slice(&chunk);
            }
        }
        Ok(if whole.is_empty() {
            first
        } else {
            whole.into()
        })
    }

    async fn decode(self, coding: Coding, body: axum::body::Body) -> Result<Bytes, Problem> {
        let mut chunks = Chunks::new(body, self.pace);
        let mut decoder = Decoder::new(coding, self.bytes_max);
        let mut sent = 0;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            sent += chunk.len();
            if sent > self.sent_bytes_max(coding) {
                return Err(self.refuse(chunks.pieces).await);
            }
            for piece in chunk.chunks(DECODED_AT_ONCE) {
                match decoder.feed(piece) {
                    Ok(()) => tokio::task::yield_now().await,
                    Err(DecodeError::TooLarge) => return Err(self.refuse(chunks.pieces).await),
                    Err(DecodeError::Malformed) => return Err(malformed_encoding()),
                }
            }
        }
        match decoder.finish() {
            Ok(bytes) => Ok(bytes.into()),
            Err(DecodeError::TooLarge) => Err(Problem::too_large(self.limit, self.bytes_max)),
            Err(DecodeError::Malformed) => Err(malformed_encoding()),
        }
    }
}

fn malformed_encoding() -> Problem {
    Problem::new(
        Code::MalformedEncoding,
        "the body is not what its header content-encoding says, or was cut short",
    )
}

fn broken() -> Problem {
    Problem::new(Code::IncompleteBody, "the connection broke within the body")
}

/// Returns the media type of a body in lower case, without its parameters.
///
/// # Errors
/// The header cannot be read.
pub fn media_type(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(None);
    };
    let Ok(value) = value.to_str() else {
        let given = text::quoted(value.as_bytes());
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            format!("content-type `{given}` is not printable ASCII"),
        ));
    };
    let essence = value.split(';').next().unwrap_or_default();
    Ok(Some(essence.trim().to_ascii_lowercase()))
}

/// Returns whether a media type is JSON.
pub fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

/// Reads JSON, refusing a body that says it is something else.
pub fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    if let Some(given) = media_type(headers)?
        && !is_json(&given)
    {
        return Err(Problem::new(
            Code::UnsupportedMediaType,
            format!(
                "expected application/json, not `{}`; with curl: -H 'content-type: application/json'",
                text::quoted(given.as_bytes())
            ),
        ));
    }
    parse(body)
}

/// Reads JSON.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    json::from_slice(body).map_err(|error| Problem::new(Code::MalformedJson, error.to_string()))
}

/// Checks how many items a body holds in a field.
///
/// # Errors
/// There are more than `max`.
pub fn at_most(field: &'static str, given: usize, max: usize) -> Result<(), Invalid> {
    ensure(field, given <= max, || {
        format!("holds {given} items; at most {max} may be given")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::RefusalCode;

    const CAP: Cap = Cap {
        limit: "input_bytes_max",
        bytes_max: 10,
        timeout: Duration::from_millis(20),
        pace: Pace {
            bytes_per_second_min: 0,
            grace: Duration::ZERO,
        },
    };

    fn pieces(pieces: &'static [&'static str]) -> axum::body::Body {
        axum::body::Body::from_stream(futures::stream::iter(
            pieces.iter().map(|piece| Ok::<_, std::io::Error>(*piece)),
        ))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_cap_and_not_beyond() {
        let too_large = Code::from(RefusalCode::PayloadTooLarge);
        let headers = HeaderMap::new();
        let whole = CAP.read(&headers, pieces(&["12345", "", "67890"])).await;
        assert_eq!(whole.as_deref(), Ok(b"1234567890".as_slice()));
        let over = CAP.read(&headers, pieces(&["12345", "678901"])).await;
        assert_eq!(over.expect_err("11 bytes").code, too_large);
        let mut declared = HeaderMap::new();
        declared.insert(header::CONTENT_LENGTH, "11".parse().expect("a value"));
        let refused = CAP.read(&declared, axum::body::Body::empty()).await;
        assert_eq!(refused.expect_err("declared").code, too_large);
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_in_time_is_refused() {
        let never = axum::body::Body::from_stream(futures::stream::pending::<
            Result<Bytes, std::io::Error>,
        >());
        let refused = CAP.read(&HeaderMap::new(), never).await;
        assert_eq!(refused.expect_err("late").code, Code::RequestTimeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_refused_long_before_its_time_is_over() {
        let cap = Cap {
            bytes_max: 1 << 20,
            timeout: Duration::from_secs(3600),
            pace: Pace {
                bytes_per_second_min: 100,
                grace: Duration::from_secs(5),
            },
            ..CAP
        };
        let trickle = |bytes: usize, every: Duration| {
            let pieces = futures::stream::iter(0..100).then(move |_| async move {
                tokio::time::sleep(every).await;
                Ok::<_, std::io::Error>(vec![b'x'; bytes])
            });
            axum::body::Body::from_stream(Box::pin(pieces))
        };
        let second = Duration::from_secs(1);
        let headers = HeaderMap::new();
        let steady = cap.read(&headers, trickle(101, second)).await;
        assert_eq!(steady.expect("fast enough").len(), 10_100);
        let clock = Instant::now();
        let slow = cap.read(&headers, trickle(10, second)).await;
        assert_eq!(slow.expect_err("too slow").code, Code::RequestTimeout);
        assert!(clock.elapsed() < 7 * second, "{:?}", clock.elapsed());
        let any = Cap {
            pace: Pace {
                bytes_per_second_min: 0,
                ..cap.pace
            },
            ..cap
        };
        assert!(any.read(&headers, trickle(1, 30 * second)).await.is_ok());
    }

    #[test]
    fn json_says_where_it_is_wrong() {
        let refused = parse::<serde_json::Value>(b"{\n\"a\": }").expect_err("no JSON");
        assert_eq!(refused.code, Code::MalformedJson);
        assert!(refused.detail.contains("line 2"), "{}", refused.detail);
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(parse::<serde_json::Value>(deep.as_bytes()).is_err());
    }
}
