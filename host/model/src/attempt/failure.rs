//! Failures of attempts.

use serde::{Deserialize, Serialize};

use crate::wire::named;
use crate::{EngineCode, Limits};

impl Limits {
    /// Most bytes of the code of a failure.
    pub const FAILURE_CODE_BYTES_MAX: usize = 64;
    /// Most bytes of a failure message.
    pub const MESSAGE_BYTES_MAX: usize = 4096;
    /// Most bytes of a guest backtrace.
    pub const BACKTRACE_BYTES_MAX: usize = 16 * 1024;
    /// Most bytes of logs, messages and backtraces on a page of attempts, before those of
    /// the last lease on it.
    pub const ATTEMPTS_BYTES_MAX: u32 = 1 << 20;
}

named! {
    /// How a failure is treated by the retry policy. Labels of the Postgres
    /// enum `failure_class`.
    pub enum FailureClass ("failure class") {
        /// Another attempt may succeed.
        Transient = "transient",
        /// Another attempt would fail the same way.
        Permanent = "permanent",
        /// The host or its environment failed.
        InfraCrash = "infra_crash",
        /// A time limit passed.
        Timeout = "timeout",
        /// A caller asked to abandon the work.
        Cancelled = "cancelled",
    }
}

/// A failure of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Decides whether another attempt is made.
    pub class: FailureClass,
    /// A stable name for programs: 1 to 64 characters of `a-z`, `0-9` and `_`.
    pub code: String,
    /// A sentence for people: at most [`Limits::MESSAGE_BYTES_MAX`] bytes.
    pub message: String,
    /// The guest's stack where it trapped; absent for any other failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
}

impl Failure {
    /// Builds a failure, cutting a message that is too long.
    pub fn new(class: FailureClass, code: &str, message: impl Into<String>) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(Limits::MESSAGE_BYTES_MAX));
        Self {
            class,
            code: code.to_owned(),
            message,
            backtrace: None,
        }
    }

    /// Builds a failure that the engine detected.
    pub fn by_engine(code: EngineCode, message: impl Into<String>) -> Self {
        Self::new(code.class(), code.as_str(), message)
    }

    /// Whether another failure has the same class, code and message, as the report
    /// that repeats it has.
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.class, &self.code, &self.message) == (other.class, &other.code, &other.message)
    }
}
