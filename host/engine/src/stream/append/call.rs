//! One call: a frame under a fence.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{AppendRefusal, ExecutionId, Fence, NewFrame, Partition, SummaryPatch};

use crate::batch::BatchItem;
use crate::random;
use crate::stream::Appended;

/// What was appended, or why nothing was.
pub(crate) type AppendVerdict = Result<Appended, AppendRefusal>;

/// One frame that is to be appended.
#[derive(Debug)]
pub(crate) struct AppendCall {
    pub(super) fence: Fence,
    pub(super) frame: NewFrame,
    /// The frame as a patch, if it is one.
    pub(super) patch: Option<SummaryPatch>,
    /// By which a repeated statement recognizes the frame.
    pub(super) token: i64,
    /// The last place of the stream when the first try began; the frame is after it.
    pub(super) tried_after: OnceLock<i64>,
    /// In the order of the calls of this host.
    number: u64,
}

impl AppendCall {
    pub(super) fn new(fence: Fence, frame: NewFrame, patch: Option<SummaryPatch>) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self {
            fence,
            frame,
            patch,
            token: random::number(),
            tried_after: OnceLock::new(),
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Returns the stream.
    pub(super) fn stream(&self) -> (ExecutionId, u32) {
        (self.fence.execution_id, self.fence.attempt)
    }
}

impl BatchItem for AppendCall {
    /// Many frames of one stream share a statement, in the order of the calls.
    type Key = (ExecutionId, u64);

    fn partition(&self) -> Partition {
        self.fence.execution_id.partition()
    }

    fn key(&self) -> (ExecutionId, u64) {
        (self.fence.execution_id, self.number)
    }

    fn payload_bytes(&self) -> usize {
        self.frame.payload.len() + self.frame.metadata.as_ref().map_or(0, String::len)
    }
}
