//! Frames as they are appended, and their bounds.

use serde::de::IgnoredAny;

use super::{AppendRefusal, FrameEncoding, FrameMode, SummaryPatch};
use crate::{Invalid, Limits, Moment, check_range, ensure, plain_text};

impl Limits {
    /// Most bytes of the payload of a frame.
    pub const FRAME_BYTES_MAX: u32 = 1 << 20;
    /// Most bytes of a payload when the writer names no other bound.
    pub const FRAME_BYTES_DEFAULT: u32 = 64 << 10;
    /// Most bytes of the type of a frame.
    pub const FRAME_TYPE_BYTES_MAX: usize = 64;
    /// Most bytes of the metadata of a frame.
    pub const FRAME_METADATA_BYTES_MAX: usize = 8 << 10;
    /// Most bytes of the source and of the correlation id of a frame, each.
    pub const FRAME_NAME_BYTES_MAX: usize = 255;
    /// Most frames of a mode that a stream keeps.
    pub const STREAM_MAXLEN_MAX: u32 = 1_000_000;
    /// Frames that a stream keeps of the mode `durable`, unless writer or policy say
    /// otherwise.
    pub const STREAM_MAXLEN_DEFAULT: u32 = 10_000;
    /// The same of the mode `durable_summary`.
    pub const SUMMARY_MAXLEN_DEFAULT: u32 = 64;
    /// The same of the mode `best_effort`.
    pub const BEST_EFFORT_MAXLEN_DEFAULT: u32 = 16_384;
    /// Bounds of the time that a frame of best effort can be read, in milliseconds.
    pub const BEST_EFFORT_TTL_MS: std::ops::RangeInclusive<u32> = 1..=3_600_000;
    /// That time when the writer names none.
    pub const BEST_EFFORT_TTL_MS_DEFAULT: u32 = 30_000;
}

/// How a new frame is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AppendMode {
    /// While it is among the newest of its mode.
    #[default]
    Durable,
    /// As a patch of the summary document: a JSON object, see [`SummaryPatch`].
    DurableSummary,
    /// For a while, for those who read at the time.
    BestEffort {
        /// How long frames of this mode can be read, in milliseconds, 1 to 3,600,000. What
        /// the last frame says holds for all of the stream.
        ttl_ms: u32,
    },
}

impl AppendMode {
    /// Returns the name of the mode.
    pub const fn name(self) -> FrameMode {
        match self {
            Self::Durable => FrameMode::Durable,
            Self::DurableSummary => FrameMode::DurableSummary,
            Self::BestEffort { .. } => FrameMode::BestEffort,
        }
    }
}

/// A frame to append.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewFrame {
    /// What kind of frame it is, in the words of its writer: 1 to 64 bytes without control
    /// characters.
    pub frame_type: String,
    /// The bytes, as readers get them back.
    pub payload: Vec<u8>,
    /// How it is kept.
    pub mode: AppendMode,
    /// How the payload is written where only text is possible; absent: as text if it is
    /// UTF-8, in base64 if not. Bytes that are not UTF-8 cannot be `Utf8`.
    pub encoding: Option<FrameEncoding>,
    /// A time of its writer. It orders nothing.
    pub ts: Option<Moment>,
    /// JSON of its writer, at most 8 KiB.
    pub metadata: Option<String>,
    /// What it belongs to: 1 to 255 bytes without control characters.
    pub correlation_id: Option<String>,
    /// Where it comes from: 1 to 255 bytes without control characters.
    pub source: Option<String>,
    /// How many frames of its mode are kept from then on; 0 removes none, up to the bound
    /// of the instance, 1,000,000. Absent: as policy or mode say.
    pub retention_maxlen: Option<u32>,
    /// Most bytes of the payload, at most 1 MiB; absent: 64 KiB.
    pub max_payload_bytes: Option<u32>,
}

impl NewFrame {
    /// Builds a durable frame.
    pub fn new(frame_type: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            frame_type: frame_type.into(),
            payload: payload.into(),
            ..Self::default()
        }
    }

    /// Checks every bound; returns the patch if the frame is one.
    pub fn check(&self) -> Result<Option<SummaryPatch>, AppendRefusal> {
        plain_text("frame_type", &self.frame_type, Limits::FRAME_TYPE_BYTES_MAX)
            .map_err(|invalid| AppendRefusal::InvalidFrameType(invalid.detail))?;
        if let Some(max) = self.max_payload_bytes {
            check_range("max_payload_bytes", max, 1..=Limits::FRAME_BYTES_MAX)?;
        }
        let max = self
            .max_payload_bytes
            .unwrap_or(Limits::FRAME_BYTES_DEFAULT);
        let bytes = self.payload.len();
        if bytes > max as usize {
            return Err(AppendRefusal::RetentionLimitExceeded {
                field: "payload",
                bytes,
                max: max as usize,
            });
        }
        self.check_fields()?;
        Ok(match self.mode {
            AppendMode::DurableSummary => Some(SummaryPatch::parse(&self.payload)?),
            AppendMode::Durable | AppendMode::BestEffort { .. } => None,
        })
    }

    fn check_fields(&self) -> Result<(), Invalid> {
        if let AppendMode::BestEffort { ttl_ms } = self.mode {
            check_range("ttl_ms", ttl_ms, Limits::BEST_EFFORT_TTL_MS)?;
        }
        if let Some(maxlen) = self.retention_maxlen {
            check_range("retention_maxlen", maxlen, 0..=Limits::STREAM_MAXLEN_MAX)?;
        }
        let said_text = self.encoding == Some(FrameEncoding::Utf8);
        ensure(
            "encoding",
            !said_text || self.is_text(),
            || "is utf8, and the payload is not UTF-8; leave it out, or say base64",
        )?;
        for (field, text) in [
            ("correlation_id", &self.correlation_id),
            ("source", &self.source),
        ] {
            if let Some(text) = text {
                plain_text(field, text, Limits::FRAME_NAME_BYTES_MAX)?;
            }
        }
        let Some(metadata) = &self.metadata else {
            return Ok(());
        };
        let max = Limits::FRAME_METADATA_BYTES_MAX;
        ensure("metadata", metadata.len() <= max, || {
            format!("{} bytes exceed the limit of {max}", metadata.len())
        })?;
        serde_json::from_str::<IgnoredAny>(metadata)
            .map(drop)
            .map_err(|error| Invalid::new("metadata", format!("is not valid JSON: {error}")))
    }

    /// Returns how the payload is written in text.
    pub fn encoding(&self) -> FrameEncoding {
        match self.encoding {
            Some(encoding) => encoding,
            None if self.is_text() => FrameEncoding::Utf8,
            None => FrameEncoding::Base64,
        }
    }

    fn is_text(&self) -> bool {
        std::str::from_utf8(&self.payload).is_ok()
    }

    /// Returns how many frames of its mode are kept from then on; `policy` is what the
    /// policy of the execution says of durable ones.
    pub const fn maxlen(&self, policy: u32) -> u32 {
        let maxlen = match (self.retention_maxlen, self.mode) {
            (Some(maxlen), _) => maxlen,
            (None, AppendMode::Durable) => policy,
            (None, AppendMode::DurableSummary) => Limits::SUMMARY_MAXLEN_DEFAULT,
            (None, AppendMode::BestEffort { .. }) => Limits::BEST_EFFORT_MAXLEN_DEFAULT,
        };
        match maxlen {
            0 => Limits::STREAM_MAXLEN_MAX,
            maxlen => maxlen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut NewFrame)) -> AppendRefusal {
        let mut frame = NewFrame::new("token", "hello");
        change(&mut frame);
        frame.check().expect_err("out of bounds")
    }

    #[test]
    fn each_bound_has_a_refusal_with_its_name() {
        assert_eq!(NewFrame::new("token", "hello").check(), Ok(None));
        for wrong in ["", "a\nb", &"x".repeat(65)] {
            let refused = refused(|frame| wrong.clone_into(&mut frame.frame_type));
            assert_eq!(refused.code(), "invalid_frame_type");
        }
        let large = vec![b'x'; (64 << 10) + 1];
        let refusal = refused(|frame| frame.payload = large.clone());
        assert_eq!(refusal.code(), "retention_limit_exceeded");
        let mut allowed = NewFrame::new("blob", large);
        allowed.max_payload_bytes = Some(1 << 20);
        assert_eq!(allowed.check(), Ok(None));
        let refusal = refused(|frame| frame.max_payload_bytes = Some(4));
        assert_eq!(refusal.code(), "retention_limit_exceeded");
        type Change = fn(&mut NewFrame);
        let changes: [(&str, Change); 7] = [
            ("max_payload_bytes", |it| {
                it.max_payload_bytes = Some((1 << 20) + 1)
            }),
            ("max_payload_bytes", |it| it.max_payload_bytes = Some(0)),
            ("retention_maxlen", |it| {
                it.retention_maxlen = Some(1_000_001)
            }),
            ("ttl_ms", |it| {
                it.mode = AppendMode::BestEffort { ttl_ms: 0 }
            }),
            ("correlation_id", |it| {
                it.correlation_id = Some(String::new())
            }),
            ("source", |it| it.source = Some("a\0".to_owned())),
            ("metadata", |it| it.metadata = Some("{".to_owned())),
        ];
        for (field, change) in changes {
            match refused(change) {
                AppendRefusal::Invalid(invalid) => assert_eq!(invalid.field, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        let refusal = refused(|frame| {
            frame.payload = vec![0xff];
            frame.encoding = Some(FrameEncoding::Utf8);
        });
        assert!(matches!(refusal, AppendRefusal::Invalid(invalid) if invalid.field == "encoding"));
    }

    #[test]
    fn bytes_that_are_not_text_say_so() {
        let encoding = |bytes: &[u8]| NewFrame::new("x", bytes).encoding();
        assert_eq!(encoding(b"a\0b"), FrameEncoding::Utf8);
        assert_eq!(encoding(&[0xff, 0xfe]), FrameEncoding::Base64);
        let mut text = NewFrame::new("x", "text");
        text.encoding = Some(FrameEncoding::Base64);
        assert_eq!(text.encoding(), FrameEncoding::Base64);
    }

    #[test]
    fn zero_keeps_as_many_as_the_instance_does() {
        let mut frame = NewFrame::new("x", "");
        assert_eq!(frame.maxlen(500), 500);
        assert_eq!(frame.maxlen(0), 1_000_000);
        frame.retention_maxlen = Some(0);
        assert_eq!(frame.maxlen(500), 1_000_000);
        frame.retention_maxlen = Some(1);
        assert_eq!(frame.maxlen(500), 1);
        frame.retention_maxlen = None;
        frame.mode = AppendMode::DurableSummary;
        assert_eq!(frame.maxlen(500), 64);
    }
}
