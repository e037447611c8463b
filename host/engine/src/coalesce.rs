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
//! A flush runs in a task of its own that no caller can cancel. It is bounded in time,
//! and repeated for as long as a caller can be expected to wait. One that panics is
//! split until the call that does it is alone: that one is answered with a defect, and
//! the others ride on. So is one that meets a row that cannot be read.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use model::{Limits, Partition};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, warn};

use crate::Error;
use crate::health::Flusher;
use crate::metrics::Timings;
use crate::pool::Trust;
use crate::tasks::Tasks;

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
    /// Called again with the same calls, or some of them, when the database was
    /// unavailable or did not answer in time, so it must recognize what an earlier
    /// try applied, or may be applying still.
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

/// Who is told what becomes of flushes.
#[derive(Clone)]
pub(crate) struct Overseers {
    pub(crate) tasks: Tasks,
    pub(crate) trust: Arc<Trust>,
    pub(crate) timings: Timings,
}

/// A verb's flushes.
struct Line<F> {
    name: &'static str,
    /// Whether its statement writes.
    writes: bool,
    flush: F,
    overseers: Overseers,
}

/// Calls that may wait for a flush before callers have to wait to be taken.
const QUEUE_MAX: usize = 16 * 1024;
/// From so many calls in a flush on, the next one begins so much later.
const SPACING: [(usize, Duration); 2] = [
    (64, Duration::from_millis(4)),
    (8, Duration::from_millis(2)),
];
/// Pause before the second try of a flush while the database is unavailable; it
/// doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// A try begins no later than this after the first one.
const TRY_FOR: Duration = Duration::from_secs(7);
/// Tries that fail at once.
const TRIES: u32 = 5;
/// Longest the first try may take, with all its statements; after one that took longer
/// the next may take twice as long, so that what is only slow comes to an end.
const TRY_BOUND: Duration = Duration::from_secs(5);

impl<I: Rider + Sync, V: Send + 'static> Coalescer<I, V> {
    /// Starts `width` flushers that share one queue: while one waits for the
    /// database the next fills.
    pub(crate) fn start<F>(
        name: &'static str,
        width: usize,
        writes: bool,
        flush: F,
        overseers: &Overseers,
    ) -> Self
    where
        F: Flush<I, Verdict = V>,
    {
        let (calls, queue) = mpsc::channel(QUEUE_MAX);
        let queue = Arc::new(Mutex::new(Queue {
            calls: queue,
            last_len: 0,
            last_at: Instant::now(),
        }));
        let line = Arc::new(Line {
            name,
            writes,
            flush,
            overseers: overseers.clone(),
        });
        for _ in 0..width {
            let flusher = overseers.trust.health.flusher(name);
            let (queue, line) = (Arc::clone(&queue), Arc::clone(&line));
            overseers.tasks.spawn(name, move || {
                run(Arc::clone(&queue), Arc::clone(&line), Arc::clone(&flusher))
            });
        }
        Self { calls }
    }

    /// Waits for a place in a flush and for its verdict.
    pub(crate) async fn call(&self, call: I) -> Result<V, Error> {
        let (answer, verdict) = oneshot::channel();
        let call = (Box::new(call), answer);
        if self.calls.send(call).await.is_err() {
            return Err(Error::Unavailable("the engine is closed".to_owned()));
        }
        // Only a flusher that panics outside its statement drops what it took.
        let dropped = |_| Error::Defect("a flush was lost".to_owned());
        verdict.await.map_err(dropped)?
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

async fn run<I, V, F>(queue: Arc<Mutex<Queue<I, V>>>, line: Arc<Line<F>>, flusher: Arc<Flusher>)
where
    I: Rider + Sync,
    V: Send + 'static,
    F: Flush<I, Verdict = V>,
{
    let health = &line.overseers.trust.health;
    // One before may have panicked in the midst of a flush.
    health.flushed(&flusher, false);
    loop {
        let mut waiting = queue.lock().await.take().await;
        if waiting.is_empty() {
            return;
        }
        while !waiting.is_empty() {
            let (batch, rest) = one_batch(waiting);
            waiting = rest;
            health.flushing(&flusher);
            let answered = line.answer(batch).await;
            health.flushed(&flusher, answered && line.writes);
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

/// Splits a batch into two that are flushed again, the first one last.
fn halves<I, V>(
    mut calls: Vec<Box<I>>,
    mut answers: Vec<oneshot::Sender<Result<V, Error>>>,
) -> [(Calls<I, V>, bool); 2] {
    let later = calls.split_off(calls.len() / 2);
    let of_later = answers.split_off(calls.len());
    [
        (later.into_iter().zip(of_later).collect(), true),
        (calls.into_iter().zip(answers).collect(), true),
    ]
}

impl<F> Line<F> {
    /// Flushes a batch and answers its calls; returns whether the database did.
    async fn answer<I, V>(&self, batch: Calls<I, V>) -> bool
    where
        I: Rider + Sync,
        V: Send + 'static,
        F: Flush<I, Verdict = V>,
    {
        let mut parts = vec![(batch, false)];
        let mut answered = false;
        while let Some((batch, retried)) = parts.pop() {
            let partition = batch[0].0.partition();
            let (calls, answers): (Vec<Box<I>>, Vec<_>) = batch.into_iter().unzip();
            let flushed = self
                .overseers
                .tasks
                .step(self.name, self.insist(partition, &calls, retried));
            match flushed.await {
                Ok(Ok(verdicts)) => {
                    answered = true;
                    for (answer, verdict) in answers.into_iter().zip(verdicts) {
                        // A caller that went away does not undo its call.
                        let _ = answer.send(Ok(verdict));
                    }
                }
                // One row cannot be read: those on other rows ride on without it. What
                // was applied before it was met is recognized.
                Ok(Err(error @ Error::Corrupt { .. })) if calls.len() > 1 => {
                    warn!(
                        verb = self.name,
                        calls = calls.len(),
                        %error,
                        "a flush met a row that cannot be read; it is split"
                    );
                    parts.extend(halves(calls, answers));
                }
                Ok(Err(error)) => {
                    for answer in answers {
                        let _ = answer.send(Err(error.clone()));
                    }
                }
                Err(message) if calls.len() == 1 => {
                    error!(verb = self.name, message, "a call made its flush panic");
                    let defect = Error::Defect(format!("{} met what it cannot do", self.name));
                    for answer in answers {
                        let _ = answer.send(Err(defect.clone()));
                    }
                }
                // The panic may have come after the statement: what it applied is
                // recognized.
                Err(message) => {
                    warn!(
                        verb = self.name,
                        calls = calls.len(),
                        message,
                        "a flush panicked; it is split"
                    );
                    parts.extend(halves(calls, answers));
                }
            }
        }
        answered
    }

    /// Runs the statement, again while the database is unavailable.
    async fn insist<I, V>(
        &self,
        partition: Partition,
        calls: &[Box<I>],
        mut retried: bool,
    ) -> Result<Vec<V>, Error>
    where
        I: Rider + Sync,
        V: Send + 'static,
        F: Flush<I, Verdict = V>,
    {
        let _timer = self.overseers.timings.flush(self.name);
        let began = Instant::now();
        let (mut tries, mut bound) = (0, TRY_BOUND);
        loop {
            tries += 1;
            let flushing = self.flush.flush(partition, calls, retried);
            let why = match timeout(bound, flushing).await {
                Ok(Ok(verdicts)) => {
                    assert_eq!(verdicts.len(), calls.len(), "every call gets a verdict");
                    return Ok(verdicts);
                }
                Ok(Err(Error::Unavailable(why))) => why,
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    self.overseers.trust.fell_silent();
                    let why = format!("no answer within {} ms", bound.as_millis());
                    bound *= 2;
                    why
                }
            };
            let pause = PAUSE * 2_u32.pow(tries - 1);
            if tries >= TRIES || began.elapsed() + pause >= TRY_FOR {
                return Err(Error::Unavailable(why));
            }
            warn!(
                verb = self.name,
                calls = calls.len(),
                tries,
                why,
                "flush failed, trying again"
            );
            retried = true;
            sleep(pause).await;
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

    /// A call whose flush panics.
    const POISON: u32 = 1_000_001;
    /// A call on a row that cannot be read.
    const CORRUPT: u32 = 1_000_003;
    /// A call whose flush is never answered.
    const STUCK: u32 = 1_000_002;

    fn overseers() -> Overseers {
        Overseers {
            tasks: Tasks::default(),
            trust: Trust::new(crate::health::Health::new()),
            timings: Timings::default(),
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
            assert!(batch.iter().all(|call| call.1 != POISON), "poison");
            if batch.iter().any(|call| call.1 == CORRUPT) {
                return Err(Error::corrupt("t", "c", CORRUPT, "odd"));
            }
            if batch.iter().any(|call| call.1 == STUCK) {
                std::future::pending::<()>().await;
            }
            self.0.lock().expect("not poisoned").push(batch.len());
            Ok(batch.iter().map(|call| call.1 * 2).collect())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_call_gets_its_own_verdict_and_calls_ride_together() {
        let sizes: Arc<std::sync::Mutex<Vec<usize>>> = Arc::default();
        let coalescer = Coalescer::start("add", 2, true, Checker(Arc::clone(&sizes)), &overseers());
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

    #[tokio::test(start_paused = true)]
    async fn a_call_that_panics_gets_the_fault_alone_and_its_flushers_live() {
        let overseers = overseers();
        let coalescer = Coalescer::start("add", 2, true, Checker(Arc::default()), &overseers);
        for round in 0..5 {
            let mut calls: Vec<_> = (0..40).map(|n| Add(0, round * 100 + n)).collect();
            calls.insert(17, Add(0, POISON));
            let mut verdicts = coalescer.call_all(calls).await;
            let poisoned = verdicts.remove(17).expect_err("it panicked");
            assert!(matches!(poisoned, Error::Defect(_)), "{poisoned}");
            assert!(
                !poisoned.is_unavailable(),
                "asking again would meet it again"
            );
            for (n, verdict) in (0..).zip(verdicts) {
                assert_eq!(verdict.expect("an innocent"), (round * 100 + n) * 2);
            }
        }
        let panics = overseers.tasks.panics();
        assert!(panics[0].1 >= 5, "{panics:?}");
        let troubles = overseers.tasks.troubles();
        assert!(
            troubles.is_empty(),
            "the host is not to blame: {troubles:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_that_cannot_be_read_fails_only_the_call_on_it() {
        let coalescer = Coalescer::start("add", 1, true, Checker(Arc::default()), &overseers());
        let mut calls: Vec<_> = (0..40).map(|n| Add(0, n)).collect();
        calls.insert(17, Add(0, CORRUPT));
        let mut verdicts = coalescer.call_all(calls).await;
        let corrupt = verdicts.remove(17).expect_err("it cannot be read");
        assert!(matches!(corrupt, Error::Corrupt { .. }), "{corrupt}");
        for (n, verdict) in (0..).zip(verdicts) {
            assert_eq!(verdict.expect("another row"), n * 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flush_without_an_answer_is_given_up_and_those_behind_it_are_served() {
        let coalescer = Coalescer::start("add", 1, true, Checker(Arc::default()), &overseers());
        let (stuck, other) = tokio::join!(coalescer.call(Add(0, STUCK)), async {
            sleep(Duration::from_millis(1)).await;
            coalescer.call(Add(0, 1)).await
        });
        let stuck = stuck.expect_err("never answered");
        assert!(stuck.is_unavailable(), "{stuck}");
        assert_eq!(other.expect("served"), 2);
    }
}
