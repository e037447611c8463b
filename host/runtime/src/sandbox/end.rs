//! How an attempt ended.

use engine::Payload;
use model::{Failure, Usage};

use crate::attempt::Stop;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptEnd {
    /// With a result to be recorded.
    Completed(Payload),
    /// With a failure to be recorded.
    Failed(Failure),
    /// Stopped because the time of the attempt was over.
    TimedOut(Failure),
    /// With an outcome the guest recorded itself.
    Recorded,
    /// Without an outcome, because the lease is gone or the execution was cancelled.
    Abandoned(Stop),
    /// It never began, because no sandbox could be opened. The lease is returned.
    NotOpened(String),
}

impl AttemptEnd {
    /// Returns a label for counters: `completed`, `recorded`, or a code.
    pub fn label(&self) -> &str {
        match self {
            Self::Completed(_) => "completed",
            Self::Failed(failure) | Self::TimedOut(failure) => &failure.code,
            Self::Recorded => "recorded",
            Self::Abandoned(Stop::Cancelled) => "cancelled",
            Self::Abandoned(_) => "lease_lost",
            Self::NotOpened(_) => "not_opened",
        }
    }
}

/// How an attempt ended, what it used and what it said.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// How the attempt ended.
    pub outcome: AttemptEnd,
    /// Processor time, memory and calls it used.
    pub usage: Usage,
    /// Its log; absent if nothing was logged.
    pub log: Option<Vec<u8>>,
}

/// How far an attempt came before an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The component was being instantiated.
    Opening,
    /// The guest was running.
    Running,
}
