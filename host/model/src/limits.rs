//! Bounds that hold for every instance, and the ones an operator may move.

use serde::{Deserialize, Serialize};

/// Bounds an operator may move, with their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most bytes of one input.
    pub input_bytes_max: u32,
    /// Most bytes of one result.
    pub result_bytes_max: u32,
    /// Most bytes of one component.
    pub component_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input_bytes_max: 1 << 20,
            result_bytes_max: 1 << 20,
            component_bytes_max: 32 << 20,
        }
    }
}

impl Limits {
    /// Most executions created or written by one statement.
    pub const BATCH_MAX: usize = 500;
    /// Most executions one `POST /v1/executions/batch` may carry.
    pub const CREATE_BATCH_MAX: usize = 1000;
    /// Most rows of one page, and what a page has without a limit given.
    pub const PAGE_MAX: u32 = 1000;
    /// Rows of a page when the reader names no limit.
    pub const PAGE_DEFAULT: u32 = 50;
    /// Most bytes of an idempotency key.
    pub const KEY_BYTES_MAX: usize = 255;
    /// Most bytes of a media type.
    pub const CONTENT_TYPE_BYTES_MAX: usize = 255;
    /// Most labels on one execution.
    pub const TAGS_MAX: usize = 32;
    /// Most bytes of a label's value.
    pub const TAG_VALUE_BYTES_MAX: usize = 256;
    /// Most bytes of a failure message.
    pub const MESSAGE_BYTES_MAX: usize = 4096;
    /// Most bytes of a reason or a progress message.
    pub const REASON_BYTES_MAX: usize = 1024;
    /// Most bytes of a guest backtrace.
    pub const BACKTRACE_BYTES_MAX: usize = 16 * 1024;
    /// Most required or offered capabilities.
    pub const CAPABILITIES_MAX: usize = 256;
    /// Most bytes of all capabilities together.
    pub const CAPABILITIES_BYTES_MAX: usize = 4096;
    /// Years, in UTC, of a time that a caller names: those that can be stored and
    /// written as RFC 3339, from the first that a time since 1970 can name.
    pub const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;
    /// Longest delay, backoff or timeout: 10 years.
    pub const DURATION_MS_MAX: u64 = 10 * 365 * 24 * 3600 * 1000;
    /// Most waitpoints of one suspension.
    pub const WAITPOINTS_MAX: usize = 64;
    /// Most bytes of a waitpoint's key within its suspension.
    pub const WAITPOINT_KEY_BYTES_MAX: usize = 128;
    /// Most waitpoints of one execution that are open at once.
    pub const WAITPOINTS_OPEN_MAX: usize = 256;
    /// How long a waitpoint waits for its suspension when nobody says otherwise.
    pub const WAITPOINT_PENDING_MS_DEFAULT: u64 = 24 * 3600 * 1000;
    /// Most bytes of what a signal brings.
    pub const SIGNAL_BYTES_MAX: u32 = 64 << 10;
    /// Most bytes of each text that says where a signal comes from: category,
    /// source type, source identity, correlation id.
    pub const SIGNAL_TEXT_BYTES_MAX: usize = 255;
    /// How long the idempotency key of a signal is remembered when nobody says
    /// otherwise.
    pub const SIGNAL_DEDUP_MS_DEFAULT: u64 = 24 * 3600 * 1000;
    /// Most signals that one answer holds.
    pub const SIGNALS_MAX: u32 = 256;
    /// Most bytes that the signals of one answer bring together; the first of
    /// them is always there.
    pub const SIGNALS_BYTES_MAX: u32 = 1 << 20;
    /// Most bytes of a signal's name.
    pub const SIGNAL_NAME_BYTES_MAX: usize = 128;
    /// Most composite conditions within each other, the ancestor's
    /// `MAX_COMPOSITE_DEPTH`.
    pub const COMPOSITE_DEPTH_MAX: usize = 4;
    /// Most nodes of a condition.
    pub const CONDITION_NODES_MAX: usize = 256;
    /// Most mentions of waitpoints in a condition, repeated ones included.
    pub const CONDITION_MENTIONS_MAX: usize = 1024;
    /// Most names of signals a waitpoint token is bound to.
    pub const TOKEN_SIGNAL_NAMES_MAX: usize = 16;
    /// Most bytes of a waitpoint token; longer texts are not looked at.
    pub const TOKEN_BYTES_MAX: usize = 3072;
    /// Most bytes of the name of a key for waitpoint tokens.
    pub const KID_BYTES_MAX: usize = 32;
    /// Bytes of the secret of a key for waitpoint tokens.
    pub const KEY_SECRET_BYTES: std::ops::RangeInclusive<usize> = 32..=64;
    /// Longest a key for waitpoint tokens is accepted after the next took over.
    pub const KEY_GRACE_MS_MAX: u64 = 366 * 24 * 3600 * 1000;
    /// How long it is when nobody says otherwise.
    pub const KEY_GRACE_MS_DEFAULT: u64 = 24 * 3600 * 1000;
    /// Most keys for waitpoint tokens that are accepted at once.
    pub const KEYS_MAX: usize = 100;
    /// Bounds of a lease's time to live.
    pub const LEASE_TTL_MS: std::ops::RangeInclusive<u32> = 1_000..=3_600_000;
    /// Most executions one claim over HTTP may ask for: their inputs are one
    /// answer.
    pub const CLAIM_MAX: u32 = 100;
    /// Most leases one request may name.
    pub const LEASES_MAX: usize = 500;
    /// Most bytes of log a worker that is no component may hand in with an end.
    pub const LOG_BYTES_MAX: usize = 64 << 10;
    /// Most bytes of the name of a worker or of its instance.
    pub const WORKER_NAME_BYTES_MAX: usize = 128;
    /// Most lanes or kinds one worker may name.
    pub const WORKER_NAMES_MAX: usize = 1000;
    /// Bounds of how long a worker is believed to live after a heartbeat.
    pub const LIVENESS_TTL_MS: std::ops::RangeInclusive<u32> = 1_000..=3_600_000;
    /// Most bytes of the reason why a worker is dead.
    pub const DEAD_REASON_BYTES_MAX: usize = 256;
    /// Bounds of a grant's time to live.
    pub const GRANT_TTL_MS: std::ops::RangeInclusive<u32> = 1..=60_000;
}

/// Cuts a text to at most `max` bytes at a character boundary.
pub(crate) fn cut(text: &mut String, max: usize) {
    if text.len() > max {
        let mut end = max;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}
