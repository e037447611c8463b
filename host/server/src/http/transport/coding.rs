//! Undoes the `Content-Encoding` of a body: gzip, deflate, or none.
//!
//! The output is bounded while it is produced, so that a small body that would
//! unfold into a huge one costs no more than the cap of its route.

use std::io::{self, Write};

use axum::http::{HeaderMap, header};
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

use crate::http::problem::{Code, Problem};
use crate::http::transport::text;

/// The codings that are understood, for the header `Accept-Encoding`.
pub const ACCEPTED: &str = "gzip, deflate, identity";

/// Bytes by which the output buffer grows.
const STEP_BYTES: usize = 16 << 10;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// As gzip, of one member or more.
    Gzip,
    /// As zlib data, or as the bare data within, which some clients send instead.
    Deflate,
}

impl Coding {
    /// Reads the header.
    ///
    /// # Errors
    /// It names a coding that is not understood, or several.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut found = Self::Identity;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            for name in value.as_bytes().split(|byte| *byte == b',') {
                let coding = match name.trim_ascii().to_ascii_lowercase().as_slice() {
                    b"" | b"identity" => continue,
                    b"gzip" | b"x-gzip" => Self::Gzip,
                    b"deflate" => Self::Deflate,
                    other => {
                        let detail = format!(
                            "content-encoding `{}` is not one of {ACCEPTED}",
                            text::quoted(other)
                        );
                        return Err(Problem::new(Code::UnsupportedEncoding, detail));
                    }
                };
                if found != Self::Identity {
                    let detail = "at most one content encoding is undone";
                    return Err(Problem::new(Code::UnsupportedEncoding, detail));
                }
                found = coding;
            }
        }
        Ok(found)
    }
}

/// Why a body cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// It unfolds into more bytes than it may.
    TooLarge,
    /// It is not in the coding of its header, or was cut short.
    Malformed,
}

impl From<io::Error> for DecodeError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::FileTooLarge => Self::TooLarge,
            _ => Self::Malformed,
        }
    }
}

/// Decodes a body piece by piece.
#[derive(Debug)]
pub struct Decoder(Kind);

#[derive(Debug)]
enum Kind {
    Plain(Bounded),
    Gzip {
        inner: Box<MultiGzDecoder<Bounded>>,
        fed: bool,
    },
    Deflate(Box<Deflate>),
}

#[derive(Debug)]
struct Deflate {
    /// Made when the first two bytes are there, which say what follows.
    inner: Option<Decompress>,
    head: Vec<u8>,
    decoded: Bounded,
    ended: bool,
}

/// Takes bytes up to a bound.
#[derive(Debug)]
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > self.bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    /// Begins a body that may unfold into `bytes_max` bytes.
    pub fn new(coding: Coding, bytes_max: usize) -> Self {
        let bytes = Vec::new();
        let decoded = Bounded { bytes, bytes_max };
        Self(match coding {
            Coding::Identity => Kind::Plain(decoded),
            Coding::Gzip => Kind::Gzip {
                inner: Box::new(MultiGzDecoder::new(decoded)),
                fed: false,
            },
            Coding::Deflate => Kind::Deflate(Box::new(Deflate {
                inner: None,
                head: Vec::new(),
                decoded,
                ended: false,
            })),
        })
    }

    /// Decodes the next piece.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), DecodeError> {
        match &mut self.0 {
            Kind::Plain(decoded) => decoded.write_all(piece)?,
            Kind::Gzip { inner, fed } => {
                *fed |= !piece.is_empty();
                inner.write_all(piece)?;
            }
            Kind::Deflate(deflate) => deflate.feed(piece)?,
        }
        Ok(())
    }

    /// Returns the decoded body, if it is whole. An empty one is whole in every coding.
    pub fn finish(self) -> Result<Vec<u8>, DecodeError> {
        match self.0 {
            Kind::Plain(decoded) => Ok(decoded.bytes),
            Kind::Gzip { fed: false, .. } => Ok(Vec::new()),
            Kind::Gzip { inner, .. } => Ok(inner.finish()?.bytes),
            Kind::Deflate(deflate) if deflate.ended || deflate.is_untouched() => {
                Ok(deflate.decoded.bytes)
            }
            Kind::Deflate(_) => Err(DecodeError::Malformed),
        }
    }
}

/// Decodes a whole body.
pub fn decode(coding: Coding, body: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = Decoder::new(coding, bytes_max);
    decoder.feed(body)?;
    decoder.finish()
}

impl Deflate {
    fn is_untouched(&self) -> bool {
        self.inner.is_none() && self.head.is_empty()
    }

    fn feed(&mut self, piece: &[u8]) -> Result<(), DecodeError> {
        if self.inner.is_some() {
            return self.inflate(piece);
        }
        self.head.extend_from_slice(piece);
        let &[first, second, ..] = self.head.as_slice() else {
            return Ok(());
        };
        // RFC 1950: the method is 8, and both bytes together divide by 31. Bare data
        // would have to begin with a stored block of an impossible length to do so.
        let zlib = first & 0x0f == 8 && u16::from_be_bytes([first, second]) % 31 == 0;
        self.inner = Some(Decompress::new(zlib));
        let head = std::mem::take(&mut self.head);
        self.inflate(&head)
    }

    fn inflate(&mut self, mut piece: &[u8]) -> Result<(), DecodeError> {
        let Some(inner) = &mut self.inner else {
            return Ok(());
        };
        let Bounded { bytes, bytes_max } = &mut self.decoded;
        loop {
            if self.ended {
                return match piece {
                    [] => Ok(()),
                    _ => Err(DecodeError::Malformed),
                };
            }
            bytes.reserve(STEP_BYTES);
            let (read, written) = (inner.total_in(), inner.total_out());
            let status = inner.decompress_vec(piece, bytes, FlushDecompress::None);
            let status = status.map_err(|_| DecodeError::Malformed)?;
            if bytes.len() > *bytes_max {
                return Err(DecodeError::TooLarge);
            }
            let taken = usize::try_from(inner.total_in() - read).unwrap_or(piece.len());
            piece = &piece[taken..];
            self.ended = status == Status::StreamEnd;
            if taken == 0 && inner.total_out() == written && !self.ended {
                return match piece {
                    [] => Ok(()),
                    _ => Err(DecodeError::Malformed),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn bare(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn each_coding_is_undone_however_it_is_cut() {
        let text = b"{\"kind\": \"echo\", \"input\": [1, 2, 3]}".repeat(100);
        let members = [gzip(&text[..40]), gzip(&text[40..])].concat();
        for (coding, encoded) in [
            (Coding::Identity, text.clone()),
            (Coding::Gzip, gzip(&text)),
            (Coding::Gzip, members),
            (Coding::Deflate, zlib(&text)),
            (Coding::Deflate, bare(&text)),
        ] {
            for size in [1, 7, 4096] {
                let mut decoder = Decoder::new(coding, text.len());
                for piece in encoded.chunks(size) {
                    decoder.feed(piece).expect("well formed");
                }
                assert_eq!(decoder.finish().as_ref(), Ok(&text), "{coding:?} by {size}");
            }
            assert_eq!(
                decode(coding, &encoded, text.len() - 1),
                Err(DecodeError::TooLarge),
                "{coding:?}"
            );
            assert_eq!(decode(coding, b"", 0), Ok(Vec::new()));
        }
    }

    #[test]
    fn a_bomb_stops_at_the_bound() {
        let zeros = vec![0; 8 << 20];
        for (coding, bomb) in [
            (Coding::Gzip, gzip(&zeros)),
            (Coding::Deflate, zlib(&zeros)),
        ] {
            let mut decoder = Decoder::new(coding, 1000);
            let fed = bomb.chunks(4096).try_for_each(|piece| decoder.feed(piece));
            assert_eq!(fed, Err(DecodeError::TooLarge));
            let held = match &decoder.0 {
                Kind::Gzip { inner, .. } => inner.get_ref().bytes.capacity(),
                Kind::Deflate(deflate) => deflate.decoded.bytes.capacity(),
                Kind::Plain(_) => 0,
            };
            assert!(held <= 4 * STEP_BYTES, "{coding:?} holds {held}");
        }
    }

    #[test]
    fn a_body_that_is_not_what_it_says_is_refused() {
        let text = b"a text of some length, to be cut";
        for (coding, mut encoded) in [
            (Coding::Gzip, gzip(text)),
            (Coding::Deflate, zlib(text)),
            (Coding::Deflate, bare(text)),
        ] {
            for cut in 1..encoded.len() {
                let refused = decode(coding, &encoded[..cut], 1000);
                assert_eq!(refused, Err(DecodeError::Malformed), "{coding:?} {cut}");
            }
            encoded.push(b'x');
            let refused = decode(coding, &encoded, 1000);
            assert_eq!(refused, Err(DecodeError::Malformed), "{coding:?} and more");
        }
        let refused = decode(Coding::Gzip, text, 1000);
        assert_eq!(refused, Err(DecodeError::Malformed));
    }

    #[test]
    fn a_header_names_one_coding() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                let value = value.parse().expect("a value");
                headers.append(header::CONTENT_ENCODING, value);
            }
            Coding::of(&headers).map_err(|problem| problem.code)
        };
        assert_eq!(of(&[]), Ok(Coding::Identity));
        assert_eq!(of(&["", "identity"]), Ok(Coding::Identity));
        assert_eq!(of(&["GZIP"]), Ok(Coding::Gzip));
        assert_eq!(of(&["identity, x-gzip"]), Ok(Coding::Gzip));
        assert_eq!(of(&["deflate"]), Ok(Coding::Deflate));
        for wrong in [
            &["br"][..],
            &["gzip, gzip"],
            &["gzip", "deflate"],
            &["utf-8"],
        ] {
            assert_eq!(of(wrong), Err(Code::UnsupportedEncoding), "{wrong:?}");
        }
    }
}
