//! How long the streams of an execution are kept.

use serde::{Deserialize, Deserializer, Serialize};

use super::NotOffered;
use super::duration::time_limit;
use crate::{Invalid, Limits, check_range};

/// How long the streams of an execution are kept, beside the execution itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamPolicy {
    /// How many durable frames each stream keeps, 0 to 1,000,000; 0 removes none, up to
    /// that bound. A frame may say otherwise.
    pub retention_maxlen: u32,
    /// How long a stream is kept after the end of its attempt, in milliseconds, 1 to ten
    /// years; absent: as long as the execution.
    pub retention_ttl_ms: Option<u64>,
    /// The durability of frames, which each frame says for itself; not offered.
    #[serde(skip_serializing)]
    pub durability_mode: NotOffered,
}

impl Default for StreamPolicy {
    fn default() -> Self {
        Self {
            retention_maxlen: Limits::STREAM_MAXLEN_DEFAULT,
            retention_ttl_ms: None,
            durability_mode: NotOffered::default(),
        }
    }
}

impl StreamPolicy {
    /// Returns whether this is the policy of a request without one.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Reads a policy, or `null` for the default.
    pub(super) fn or_default<'de, D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(d)?.unwrap_or_default())
    }

    /// Checks the bounds.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        check_range(
            "policy.stream_policy.retention_maxlen",
            self.retention_maxlen,
            0..=Limits::STREAM_MAXLEN_MAX,
        )?;
        time_limit(
            "policy.stream_policy.retention_ttl_ms",
            self.retention_ttl_ms,
        )
    }
}
