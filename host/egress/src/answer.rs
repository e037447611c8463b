//! The answer to a request, within limits.

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::{HeaderMap, StatusCode};

use crate::error::Part;
use crate::{Error, Target};

/// The answer to a request. Redirects and errors of the server are answers as well.
#[derive(Debug, Clone)]
pub struct Answer {
    /// As the server sent it, 200 to 999; 101 if it changes protocols.
    pub status: StatusCode,
    /// Within the limits on their number and bytes.
    pub headers: HeaderMap,
    /// As it was sent, not decoded from a content coding.
    pub body: Bytes,
    /// Whether the body is longer than the limit, and `body` its beginning.
    pub is_cut: bool,
}

/// What happens to an answer whose body is longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LongBody {
    /// There is no answer but [`Error::TooLarge`].
    #[default]
    Refuse,
    /// The answer has the beginning of the body.
    Cut,
}

impl Answer {
    /// Reads the body of a response, up to a number of bytes.
    pub(crate) async fn read(
        target: &Target,
        response: hyper::Response<Incoming>,
        bytes_max: usize,
        long: LongBody,
    ) -> Result<Self, Error> {
        let (head, mut incoming) = response.into_parts();
        let too_large = || Error::too_large(target, Part::Body);
        if long == LongBody::Refuse && incoming.size_hint().lower() > bytes_max as u64 {
            return Err(too_large());
        }
        let mut body = Vec::new();
        let mut is_cut = false;
        while let Some(frame) = incoming.frame().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return Err(Error::no_answer(target, &error)),
            };
            // Trailers are not read.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let room = bytes_max - body.len();
            if data.len() > room {
                if long == LongBody::Refuse {
                    return Err(too_large());
                }
                body.extend_from_slice(&data[..room]);
                is_cut = true;
                break;
            }
            body.extend_from_slice(&data);
        }
        Ok(Self {
            status: head.status,
            headers: head.headers,
            body: body.into(),
            is_cut,
        })
    }
}
