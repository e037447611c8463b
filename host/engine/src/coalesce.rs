//! Many callers, one statement, each with its own verdict.
//!
//! Calls in flight at the same time ride together: a flush takes whatever is
//! waiting, runs one statement over arrays and hands every caller its own
//! answer. The next flush begins when the last one returns, so batches grow when
//! the database is slow. When it is fast, statements would run all the time with
//! a dozen calls each, and the fixed cost of a statement is that of some ten
//! rows; so flushes that carry several calls begin some time apart. A call that
//! is alone never waits.
//!
//! A flush runs in a task of its own that no caller can cancel.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use model::{Limits, Partition};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;
use tracing::warn;

use crate::Error;

/// A call that can ride with others.
pub(crate) trait Rider: Send + 'static {
    /// What two calls of one statement must not share, and the order in which
    /// a statement touches rows.
    type Key: Ord + Eq + Hash + Clone + Send;
    /// Returns the partition whose rows the call touches.
    fn partition(&self) -> Partition;
    /// Returns the key.
    fn key(&self) -> Self::Key;
}

/// One statement over many calls.
pub(crate) trait Flush<I: Rider>: Send + Sync + 'static {
    /// The answer to one call.
    type Verdict: Send + 'static;

    /// Runs the statement over calls of one partition with distinct keys, in
    /// the order of their keys, and answers each, in that order.
    ///
    /// Called again with the same calls when the database was unavailable, so
    /// it must recognise what an earlier try applied.
    fn flush(
        &self,
        partition: Partition,
        batch: &[Box<I>],
        retried: bool,
    ) -> impl Future<Output = Result<Vec<Self::Verdict>, Error>> + Send;
}

/// Boxed, because a call is moved a dozen times on its way to a statement.
type Call<I, V> = (Box<I>, oneshot::Sender<Result<V, Error>>);
type Calls<I, V> = Vec<Call<I, V>>;

/// Hands calls to the statement that serves them.
pub(crate) struct Coalescer<I, V> {
    calls: mpsc::Sender<Call<I, V>>,
}

/// Calls that may wait for a flush before callers have to wait to be taken.
const QUEUE_MAX: usize = 16 * 1024;
/// From so many calls in a flush on, the next one begins so much later.
const SPACING: [(usize, Duration); 2] = [
    (64, Duration::from_millis(4)),
    (8, Duration::from_millis(2)),
];
/// Tries of one flush while the database is unavailable.
const TRIES: u32 = 4;
/// Pause before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(50);

impl<I: Rider + Sync, V: Send + 'static> Coalescer<I, V> {
    /// Starts `width` flushers that share one queue: while one waits for the
    /// database the next fills.
    pub(crate) fn start<F>(name: &'static str, width: usize, flush: F) -> Self
    where
        F: Flush<I, Verdict = V>,
    {
        let (calls, queue) = mpsc::channel(QUEUE_MAX);
        let queue = Arc::new(Mutex::new(Queue {
            calls: queue,
            last_len: 0,
            last_at: Instant::now(),
        }));
        let flush = Arc::new(flush);
        for _ in 0..width {
            tokio::spawn(run(name, Arc::clone(&queue), Arc::clone(&flush)));
        }
        Self { calls }
    }

    /// Waits for a place in a flush and for its verdict.
    pub(crate) async fn call(&self, call: I) -> Result<V, Error> {
        let (answer, verdict) = oneshot::channel();
        let gone = || Error::Unavailable("the engine is closed".to_owned());
        let call = (Box::new(call), answer);
        self.calls.send(call).await.map_err(|_| gone())?;
        verdict.await.map_err(|_| gone())?
    }

    /// As [`Self::call`] for several calls at once, answered in their order.
    pub(crate) async fn call_all(&self, calls: Vec<I>) -> Vec<Result<V, Error>> {
        futures::future::join_all(calls.into_iter().map(|call| self.call(call))).await
    }
}

/// The calls that wait, and how the last flush set out.
struct Queue<I, V> {
    calls: mpsc::Receiver<Call<I, V>>,
    last_len: usize,
    last_at: Instant,
}

impl<I, V> Queue<I, V> {
    /// Takes the calls of the next flush; none once nobody can call any more.
    async fn take(&mut self) -> Calls<I, V> {
        let mut waiting = Vec::new();
        self.calls.recv_many(&mut waiting, Limits::BATCH_MAX).await;
        let spacing = SPACING.iter().find(|(calls, _)| self.last_len >= *calls);
        if let Some((_, spacing)) = spacing
            && waiting.len() < Limits::BATCH_MAX
        {
            tokio::time::sleep_until(self.last_at + *spacing).await;
            while waiting.len() < Limits::BATCH_MAX
                && let Ok(call) = self.calls.try_recv()
            {
                waiting.push(call);
            }
        }
        self.last_len = waiting.len();
        self.last_at = Instant::now();
        waiting
    }
}

async fn run<I, V, F>(name: &'static str, queue: Arc<Mutex<Queue<I, V>>>, flush: Arc<F>)
where
    I: Rider + Sync,
    V: Send + 'static,
    F: Flush<I, Verdict = V>,
{
    loop {
        let mut waiting = queue.lock().await.take().await;
        if waiting.is_empty() {
            return;
        }
        while !waiting.is_empty() {
            let (batch, rest) = one_batch(waiting);
            waiting = rest;
            answer(name, &*flush, batch).await;
        }
    }
}

/// Takes the calls of one partition with distinct keys, in order; leaves the
/// rest.
fn one_batch<I: Rider, V>(waiting: Calls<I, V>) -> (Calls<I, V>, Calls<I, V>) {
    let Some(partition) = waiting.first().map(|(call, _)| call.partition()) else {
        return (waiting, Vec::new());
    };
    let mut keys = HashSet::with_capacity(waiting.len());
    let (mut batch, rest): (Vec<_>, Vec<_>) = waiting
        .into_iter()
        .partition(|(call, _)| call.partition() == partition && keys.insert(call.key()));
    batch.sort_by_key(|(call, _)| call.key());
    (batch, rest)
}

async fn answer<I, V, F>(name: &'static str, flush: &F, batch: Vec<Call<I, V>>)
where
    I: Rider + Sync,
    V: Send + 'static,
    F: Flush<I, Verdict = V>,
{
    let partition = batch[0].0.partition();
    let (calls, answers): (Vec<Box<I>>, Vec<_>) = batch.into_iter().unzip();
    let mut tries = 0;
    let verdicts = loop {
        tries += 1;
        match flush.flush(partition, &calls, tries > 1).await {
            Err(Error::Unavailable(why)) if tries < TRIES => {
                warn!(
                    verb = name,
                    calls = calls.len(),
                    tries,
                    why,
                    "flush failed, trying again"
                );
                tokio::time::sleep(PAUSE * 2_u32.pow(tries - 1)).await;
            }
            other => break other,
        }
    };
    match verdicts {
        Ok(verdicts) => {
            assert_eq!(
                verdicts.len(),
                answers.len(),
                "every call of {name} gets a verdict"
            );
            for (answer, verdict) in answers.into_iter().zip(verdicts) {
                // A caller that went away does not undo its call.
                let _ = answer.send(Ok(verdict));
            }
        }
        Err(error) => {
            for answer in answers {
                let _ = answer.send(Err(error.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Add(u16, u32);

    impl Rider for Add {
        type Key = u32;
        fn partition(&self) -> Partition {
            Partition::new(self.0).expect("small")
        }
        fn key(&self) -> u32 {
            self.1
        }
    }

    /// Checks the promises made to a statement and counts flushes.
    struct Checker(Arc<std::sync::Mutex<Vec<usize>>>);

    impl Flush<Add> for Checker {
        type Verdict = u32;
        async fn flush(
            &self,
            p: Partition,
            batch: &[Box<Add>],
            retried: bool,
        ) -> Result<Vec<u32>, Error> {
            assert!(batch.iter().all(|call| call.partition() == p));
            assert!(
                batch.is_sorted_by(|a, b| a.1 < b.1),
                "distinct and in order"
            );
            tokio::task::yield_now().await;
            if !retried && batch.iter().any(|call| call.1 == 13) {
                return Err(Error::Unavailable("bad luck".to_owned()));
            }
            self.0.lock().expect("not poisoned").push(batch.len());
            Ok(batch.iter().map(|call| call.1 * 2).collect())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_call_gets_its_own_verdict_and_calls_ride_together() {
        let sizes: Arc<std::sync::Mutex<Vec<usize>>> = Arc::default();
        let coalescer = Coalescer::start("add", 2, Checker(Arc::clone(&sizes)));
        let calls: Vec<_> = (0..600_u32).map(|n| Add((n % 3) as u16, n / 2)).collect();
        let wanted: Vec<_> = calls.iter().map(|call| call.1 * 2).collect();
        let got: Vec<_> = coalescer
            .call_all(calls)
            .await
            .into_iter()
            .map(|verdict| verdict.expect("retried when unavailable"))
            .collect();
        assert_eq!(got, wanted);
        let sizes = sizes.lock().expect("not poisoned").clone();
        assert_eq!(sizes.iter().sum::<usize>(), 600);
        assert!(sizes.len() < 20, "{sizes:?}");
    }
}
