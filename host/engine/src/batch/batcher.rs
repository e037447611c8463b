//! The front of a verb: callers wait here for the verdict on their call.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::flusher::{Flusher, Monitor};
use super::queue::{Call, Queue};
use super::{BatchItem, Flush};
use crate::Error;

/// Calls that may wait for a flush; later callers wait for room among them.
const QUEUE_MAX: usize = 16 * 1024;

/// Bytes of payload from which on a call is a large one.
const LARGE_BYTES: usize = 64 << 10;
/// A flush of calls that are not large takes no more of them after so many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// The same of large ones.
const LARGE_BATCH_BYTES: usize = 8 << 20;

/// Hands the calls of a verb to its flushers.
pub(crate) struct Batcher<I, V> {
    calls: mpsc::Sender<Call<I, V>>,
    /// Large calls, if they have a flusher of their own.
    large: Option<mpsc::Sender<Call<I, V>>>,
}

impl<I: BatchItem, V: Send + 'static> Batcher<I, V> {
    /// Starts `width` flushers that share one queue: while one waits for the database
    /// the next fills. `writes` says whether the statement writes.
    ///
    /// Large calls have a queue and a flusher of their own, so that no small one waits
    /// until megabytes are stored; but where only one flusher may run at a time, all
    /// calls share it.
    pub(crate) fn start<F>(
        name: &'static str,
        width: usize,
        writes: bool,
        flush: F,
        monitor: &Monitor,
    ) -> Self
    where
        F: Flush<I, Verdict = V>,
    {
        let flush = Arc::new(flush);
        let queue = |width, bytes_max| {
            let (calls, waiting) = mpsc::channel(QUEUE_MAX);
            let queue = Arc::new(Mutex::new(Queue::new(waiting, bytes_max)));
            for _ in 0..width {
                let flusher = Arc::new(Flusher::new(name, writes, flush.clone(), monitor));
                let queue = queue.clone();
                monitor.tasks.spawn(name, move || {
                    let (flusher, queue) = (flusher.clone(), queue.clone());
                    async move { flusher.run(&queue).await }
                });
            }
            calls
        };
        Self {
            calls: queue(width, BATCH_BYTES),
            large: (width > 1).then(|| queue(1, LARGE_BATCH_BYTES)),
        }
    }

    /// Waits for a place in a flush and for its verdict.
    pub(crate) async fn call(&self, call: I) -> Result<V, Error> {
        let (answer, verdict) = oneshot::channel();
        let calls = match &self.large {
            Some(large) if call.payload_bytes() >= LARGE_BYTES => large,
            _ => &self.calls,
        };
        if calls.send((Box::new(call), answer)).await.is_err() {
            return Err(Error::Unavailable("the engine is closed".to_owned()));
        }
        // Only a flusher that panics outside its statement drops the calls it took.
        let dropped = |_| Error::Defect("a flush was lost".to_owned());
        verdict.await.map_err(dropped)?
    }

    /// As [`Self::call`] for several calls at the same time, answered in their order.
    pub(crate) async fn call_all(&self, calls: Vec<I>) -> Vec<Result<V, Error>> {
        futures::future::join_all(calls.into_iter().map(|call| self.call(call))).await
    }
}
