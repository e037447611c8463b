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
    /// Without the right to record anything.
    Abandoned(Stop),
    /// Before it began: no sandbox was free. The lease is given back.
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
    /// How it ended.
    pub outcome: AttemptEnd,
    /// What it used.
    pub usage: Usage,
    /// Its log, if it has one.
    pub log: Option<Vec<u8>>,
}

/// How far an attempt came before an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its component was being instantiated.
    Opening,
    /// The guest ran.
    Running,
}
