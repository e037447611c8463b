//! The calls of a verb that wait, and which of them the next flush takes.

use std::collections::HashSet;
use std::time::Duration;

use model::Limits;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::BatchItem;
use crate::Error;

/// Where the verdict on a call is sent.
pub(super) type Answer<V> = oneshot::Sender<Result<V, Error>>;
/// Boxed, because a call is moved a dozen times on its way to a statement.
pub(super) type Call<I, V> = (Box<I>, Answer<V>);

/// After a flush of at least so many calls, the next one begins so much later.
const SPACING: [(usize, Duration); 2] = [
    (64, Duration::from_millis(4)),
    (8, Duration::from_millis(2)),
];

/// The calls that wait, and the size and time of the last flush.
pub(super) struct Queue<I, V> {
    calls: mpsc::Receiver<Call<I, V>>,
    /// A flush takes no further call once it has payloads of so many bytes.
    bytes_max: usize,
    last_len: usize,
    last_at: Instant,
}

impl<I: BatchItem, V> Queue<I, V> {
    pub(super) fn new(calls: mpsc::Receiver<Call<I, V>>, bytes_max: usize) -> Self {
        Self {
            calls,
            bytes_max,
            last_len: 0,
            last_at: Instant::now(),
        }
    }

    /// Takes the calls of the next flush; none once every [`Batcher`](super::Batcher)
    /// of the verb is gone.
    pub(super) async fn take(&mut self) -> Vec<Call<I, V>> {
        let Some(first) = self.calls.recv().await else {
            return Vec::new();
        };
        let mut bytes = first.0.payload_bytes();
        let mut waiting = vec![first];
        let is_full = self.fill(&mut waiting, &mut bytes);
        let spacing = SPACING.iter().find(|(calls, _)| self.last_len >= *calls);
        if let Some((_, spacing)) = spacing
            && !is_full
        {
            sleep_until(self.last_at + *spacing).await;
            self.fill(&mut waiting, &mut bytes);
        }
        self.last_len = waiting.len();
        self.last_at = Instant::now();
        waiting
    }

    /// Adds calls that wait; returns whether the flush takes no more.
    fn fill(&mut self, waiting: &mut Vec<Call<I, V>>, bytes: &mut usize) -> bool {
        loop {
            if waiting.len() == Limits::BATCH_MAX || *bytes >= self.bytes_max {
                return true;
            }
            let Ok(call) = self.calls.try_recv() else {
                return false;
            };
            *bytes += call.0.payload_bytes();
            waiting.push(call);
        }
    }
}

/// Takes the calls that can share a statement, those of one partition with distinct
/// keys, in the order of their keys; leaves the rest.
pub(super) fn one_batch<I: BatchItem, V>(waiting: &mut Vec<Call<I, V>>) -> Vec<Call<I, V>> {
    let Some(partition) = waiting.first().map(|(call, _)| call.partition()) else {
        return Vec::new();
    };
    let mut keys = HashSet::with_capacity(waiting.len());
    let (mut batch, rest): (Vec<_>, Vec<_>) = waiting
        .drain(..)
        .partition(|(call, _)| call.partition() == partition && keys.insert(call.key()));
    *waiting = rest;
    batch.sort_by_key(|(call, _)| call.key());
    batch
}
