//! Failures and what an attempt used up.

use serde::{Deserialize, Serialize};

use crate::wire::named;
use crate::{EngineCode, Outcome};

named! {
    /// How a failure is treated by the retry policy. Labels of the Postgres
    /// enum `failure_class`.
    pub enum FailureClass ("failure class") {
        /// May succeed if tried again.
        Transient = "transient",
        /// Will fail the same way again.
        Permanent = "permanent",
        /// The host or its environment failed.
        InfraCrash = "infra_crash",
        /// A time limit passed.
        Timeout = "timeout",
        /// Abandoned on request.
        Cancelled = "cancelled",
    }
}

impl FailureClass {
    /// Returns the class of an end that was recorded without one, by a host that did not
    /// write it yet: of an execution that a time limit or an operator ended.
    pub const fn of_end(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Failed | Outcome::Expired => Self::Timeout,
            Outcome::Success | Outcome::Cancelled | Outcome::Skipped => Self::Cancelled,
        }
    }
}

/// A failure of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Decides whether another attempt is made.
    pub class: FailureClass,
    /// A stable name for programs, 1 to 64 characters of `a-z0-9_`.
    pub code: String,
    /// A sentence for people, at most [`crate::Limits::MESSAGE_BYTES_MAX`].
    pub message: String,
    /// Where in the guest it happened, if the guest trapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
}

impl Failure {
    /// Builds a failure, cutting a message that is too long.
    pub fn new(class: FailureClass, code: &str, message: impl Into<String>) -> Self {
        let mut message = message.into();
        crate::limits::cut(&mut message, crate::Limits::MESSAGE_BYTES_MAX);
        Self {
            class,
            code: code.to_owned(),
            message,
            backtrace: None,
        }
    }

    /// Builds a failure that the engine found by itself.
    pub fn by_engine(code: EngineCode, message: impl Into<String>) -> Self {
        Self::new(code.class(), code.as_str(), message)
    }

    /// Whether another failure says the same, as a repeated report does.
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.class, &self.code, &self.message) == (other.class, &other.code, &other.message)
    }
}

/// What an attempt used up, as metered by the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Epoch ticks spent in guest code (10 ms each).
    pub cpu_ticks: u32,
    /// Most memory held at once, in bytes: linear memory, tables, and what the host
    /// kept for the guest.
    pub memory_peak_bytes: u64,
    /// Calls the guest made into the host.
    pub host_calls: u32,
    /// Bytes of log, result and requests the guest produced.
    pub bytes_out: u64,
    /// Time from opening the sandbox to its end, in microseconds.
    pub wall_us: u64,
}
