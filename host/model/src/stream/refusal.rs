//! Why a frame was not appended, and why a stream was not read.

use super::StreamCursorError;
use crate::{Fence, Invalid, Limits, Observed, Refusal, RefusalCode, Told};

/// Why a frame was not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendRefusal {
    /// No such execution.
    #[error("no such execution")]
    ExecutionNotFound,
    /// The execution does not run, so nothing is appended to its streams.
    #[error("the stream is closed: the attempt does not run")]
    StreamClosed,
    /// The lease was lost, or is another than the one that is held.
    #[error("the lease is not held any more, so nothing is appended under it")]
    StaleOwner,
    /// The payload, or the summary document with it, has too many bytes.
    #[error("{field}: {bytes} bytes exceed the limit of {max}")]
    RetentionLimitExceeded {
        /// What has too many: `payload` or `summary`.
        field: &'static str,
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        max: usize,
    },
    /// The type of the frame breaks its rule.
    #[error("frame_type: {0}")]
    InvalidFrameType(String),
    /// The patch is nested too deeply.
    #[error("the patch is nested deeper than {max} levels", max = Limits::PATCH_DEPTH_MAX)]
    PatchDepthExceeded,
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl AppendRefusal {
    /// Names the refusal of an append that found its lease not held.
    pub fn of(observed: &Observed, fence: &Fence) -> Self {
        use crate::LeaseRefusal as Lease;
        match observed.refusal(fence) {
            Lease::ExecutionNotFound => Self::ExecutionNotFound,
            Lease::ExecutionNotActive { .. } => Self::StreamClosed,
            Lease::LeaseRevoked | Lease::LeaseExpired | Lease::StaleLease => Self::StaleOwner,
            Lease::Invalid(invalid) => Self::Invalid(invalid),
        }
    }
}

impl Refusal for AppendRefusal {
    fn told(&self) -> Told {
        match self {
            Self::ExecutionNotFound => RefusalCode::ExecutionNotFound.alone(),
            Self::StreamClosed => RefusalCode::StreamClosed.alone(),
            Self::StaleOwner => RefusalCode::StaleOwnerCannotAppend.alone(),
            Self::RetentionLimitExceeded { field, bytes, max } => {
                RefusalCode::RetentionLimitExceeded
                    .with("field", field)
                    .with("bytes", bytes)
                    .with("max", max)
            }
            Self::InvalidFrameType(_) => RefusalCode::InvalidFrameType.alone(),
            Self::PatchDepthExceeded => RefusalCode::PatchDepthExceeded.alone(),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}

/// Why a stream, a summary or a log was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamRefusal {
    /// No such execution.
    #[error("no such execution")]
    ExecutionNotFound,
    /// The execution ended before it made such an attempt.
    #[error("the execution ended without an attempt {attempt}")]
    AttemptNotFound {
        /// The number that was asked for.
        attempt: u32,
    },
    /// A page was asked to have more frames than one may.
    #[error("{count} is more than the {max} frames that a page may have", max = Limits::STREAM_PAGE_MAX)]
    CountLimitExceedsHardCap {
        /// The number that was asked for.
        count: u32,
    },
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl StreamRefusal {
    /// Names an argument that is not a cursor.
    pub fn cursor(field: &'static str, error: &StreamCursorError) -> Self {
        Self::Invalid(Invalid::new(field, error.to_string()))
    }
}

impl Refusal for StreamRefusal {
    fn told(&self) -> Told {
        match self {
            Self::ExecutionNotFound => RefusalCode::ExecutionNotFound.alone(),
            Self::AttemptNotFound { attempt } => {
                RefusalCode::AttemptNotFound.with("attempt", attempt)
            }
            Self::CountLimitExceedsHardCap { count } => RefusalCode::CountLimitExceedsHardCap
                .with("count", count)
                .with("max", Limits::STREAM_PAGE_MAX),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}
