//! What a verb says about its calls to have them batched, and the statement over them.

use std::hash::Hash;

use model::Partition;

use crate::Error;

/// A call that can be batched with others.
pub(crate) trait BatchItem: Send + Sync + 'static {
    /// What two calls of one statement must not share, and the order in which a
    /// statement locks rows.
    type Key: Ord + Eq + Hash + Clone + Send;
    /// Returns the partition whose rows the call locks.
    fn partition(&self) -> Partition;
    /// Returns the key.
    fn key(&self) -> Self::Key;
    /// Returns the bytes of what callers hand in for the statement to store; 0 if that is
    /// a few words at most.
    fn payload_bytes(&self) -> usize {
        0
    }
}

/// One statement over many calls.
pub(crate) trait Flush<I: BatchItem>: Send + Sync + 'static {
    /// The answer to one call.
    type Verdict: Send + 'static;

    /// Runs the statement over calls of one partition with distinct keys, in the order
    /// of their keys, and answers each, in that order.
    ///
    /// Called again with the same calls, or some of them, when the database was
    /// unavailable or did not answer in time, so it must recognize what an earlier try
    /// applied, or may be applying still.
    fn flush(
        &self,
        partition: Partition,
        batch: &[Box<I>],
        retried: bool,
    ) -> impl Future<Output = Result<Vec<Self::Verdict>, Error>> + Send;
}
