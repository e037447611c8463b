//! Answers bytes that are not HTTP with a problem like any other.
//!
//! No handler sees a request whose head cannot be read: hyper writes a bare status and
//! closes the connection. Here a problem is written in place of that answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use hyper::rt::Write;

use super::wrapped::Writes;
use crate::http::problem::{Code, Problem};

/// Longest answer that is checked for having no body, in bytes.
const BARE_BYTES_MAX: usize = 256;

/// Replaces bare answers.
#[derive(Debug, Default)]
pub struct NotHttp {
    /// The problem that replaces a bare answer, and how many of its bytes were written.
    instead: Option<(Vec<u8>, usize)>,
}

/// Returns the problem for an answer that is nothing but one of the statuses for a head
/// that cannot be read. Handlers never answer with these, or never without a body.
fn problem_of(written: &[u8]) -> Option<Problem> {
    if written.len() > BARE_BYTES_MAX || !written.ends_with(b"\r\n\r\n") {
        return None;
    }
    let text = std::str::from_utf8(written).ok()?;
    let (status, headers) = text.split_once("\r\n")?;
    let status = status.strip_prefix("HTTP/1.")?.get(2..5)?;
    let bare = headers
        .split("\r\n")
        .any(|line| line.eq_ignore_ascii_case("content-length: 0"));
    if !bare {
        return None;
    }
    Some(match StatusCode::from_bytes(status.as_bytes()).ok()? {
        StatusCode::BAD_REQUEST => Problem::new(
            Code::MalformedRequest,
            "the request cannot be read: it is not HTTP, or its path or a header holds bytes that must be escaped",
        ),
        StatusCode::URI_TOO_LONG => {
            Problem::new(Code::UriTooLong, "the address is longer than 65534 bytes")
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Problem::new(
            Code::HeadersTooLarge,
            "the head of the request is larger than this server reads",
        ),
        _ => return None,
    })
}

/// Returns the bytes of an answer that is this problem, after which the connection ends.
pub fn written_out(problem: &Problem) -> Vec<u8> {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    let mut answer = format!(
        "HTTP/1.1 {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        problem.code.status(),
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}

impl Writes for NotHttp {
    fn write<S: Write + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
        written: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none() {
            self.instead = problem_of(written).map(|problem| (written_out(&problem), 0));
        }
        let Some((answer, done)) = &mut self.instead else {
            return Pin::new(stream).poll_write(context, written);
        };
        while *done < answer.len() {
            let more = Pin::new(&mut *stream).poll_write(context, &answer[*done..]);
            match ready!(more)? {
                0 => return Poll::Ready(Ok(0)),
                more => *done += more,
            }
        }
        self.instead = None;
        Poll::Ready(Ok(written.len()))
    }

    fn write_vectored<S: Write + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
        written: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A bare answer is one piece.
        let mut pieces = written.iter().filter(|piece| !piece.is_empty());
        match (pieces.next(), pieces.next()) {
            (Some(piece), None) => self.write(stream, context, piece),
            _ => Pin::new(stream).poll_write_vectored(context, written),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_answer_is_replaced() {
        let bare = |status: &str| {
            let answer =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            problem_of(answer.as_bytes()).map(|problem| problem.code)
        };
        assert_eq!(bare("400 Bad Request"), Some(Code::MalformedRequest));
        assert_eq!(bare("414 URI Too Long"), Some(Code::UriTooLong));
        let headers = bare("431 Request Header Fields Too Large");
        assert_eq!(headers, Some(Code::HeadersTooLarge));
        assert_eq!(bare("204 No Content"), None);
        for other in [
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nmore",
            "",
            "\r\n\r\n",
        ] {
            assert_eq!(problem_of(other.as_bytes()), None, "{other}");
        }
    }
}
