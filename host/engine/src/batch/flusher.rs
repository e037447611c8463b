//! One of the tasks that flush a verb: it takes a batch, runs the statement until the
//! database answers, and answers the calls.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use model::Partition;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, warn};

use super::flushes::{FlushState, Flushes};
use super::queue::{Answer, Call, Queue, one_batch};
use super::{BatchItem, Flush};
use crate::Error;
use crate::database::Liveness;
use crate::metrics::Timings;
use crate::tasks::Tasks;
use crate::wake::Wake;

/// Pauses before a flush is repeated while the database is unavailable: five tries.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(50))
    .with_max_times(4);
/// A try begins no later than this after the first one.
const TRY_FOR: Duration = Duration::from_secs(7);
/// Longest the first try may take, with all its statements; after one that took longer
/// the next may take twice as long, so that a database that is only slow can finish.
const TRY_BOUND: Duration = Duration::from_secs(5);

/// Where flushers report panics and statements without an answer.
#[derive(Clone)]
pub(crate) struct Monitor {
    pub(crate) tasks: Tasks,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) flushes: Flushes,
    pub(crate) timings: Timings,
    pub(crate) wake: Wake,
}

/// A flusher of a verb.
pub(super) struct Flusher<F> {
    name: &'static str,
    /// Whether its statement writes.
    writes: bool,
    flush: Arc<F>,
    monitor: Monitor,
    state: Arc<FlushState>,
}

/// Calls that share a statement, and whether it may have been applied before.
struct Part<I, V> {
    calls: Vec<Box<I>>,
    answers: Vec<Answer<V>>,
    retried: bool,
}

impl<F> Flusher<F> {
    pub(super) fn new(name: &'static str, writes: bool, flush: Arc<F>, monitor: &Monitor) -> Self {
        Self {
            name,
            writes,
            flush,
            monitor: monitor.clone(),
            state: monitor.flushes.add(name),
        }
    }

    /// Flushes batches until nothing can call any more.
    pub(super) async fn run<I: BatchItem>(&self, queue: &Mutex<Queue<I, F::Verdict>>)
    where
        F: Flush<I>,
    {
        // An earlier run may have panicked in the middle of a flush.
        *self.state.since.lock() = None;
        loop {
            let mut waiting = queue.lock().await.take().await;
            if waiting.is_empty() {
                return;
            }
            while !waiting.is_empty() {
                let batch = one_batch(&mut waiting);
                *self.state.since.lock() = Some(std::time::Instant::now());
                let answered = self.answer(batch).await;
                *self.state.since.lock() = None;
                if answered && self.writes {
                    self.monitor.liveness.health.wrote();
                    self.monitor.wake.logged();
                }
            }
        }
    }

    /// Flushes a batch and answers its calls; returns whether the database answered.
    async fn answer<I: BatchItem>(&self, batch: Vec<Call<I, F::Verdict>>) -> bool
    where
        F: Flush<I>,
    {
        let (calls, answers) = batch.into_iter().unzip();
        let mut parts = vec![Part {
            calls,
            answers,
            retried: false,
        }];
        let mut answered = false;
        while let Some(part) = parts.pop() {
            let run = self.run_until_answered(&part.calls, part.retried);
            let alone = part.calls.len() == 1;
            match self.monitor.tasks.step(self.name, run).await {
                Ok(Ok(verdicts)) => {
                    answered = true;
                    for (answer, verdict) in part.answers.into_iter().zip(verdicts) {
                        // A caller that went away does not undo its call.
                        let _ = answer.send(Ok(verdict));
                    }
                }
                // Calls on other rows are flushed without it. What the statement
                // applied before it read that row is recognized.
                Ok(Err(error @ Error::Corrupt { .. })) if !alone => {
                    let calls = part.calls.len();
                    warn!(verb = self.name, calls, %error, "a flush read a corrupt row; it is split");
                    parts.extend(part.split());
                }
                Ok(Err(error)) => part.fail(&error),
                // The panic may have come after the statement: what it applied is
                // recognized.
                Err(message) if !alone => {
                    let calls = part.calls.len();
                    warn!(
                        verb = self.name,
                        calls, message, "a flush panicked; it is split"
                    );
                    parts.extend(part.split());
                }
                Err(message) => {
                    error!(verb = self.name, message, "a call made its flush panic");
                    part.fail(&Error::Defect(format!(
                        "{} panicked on this call",
                        self.name
                    )));
                }
            }
        }
        answered
    }

    /// Runs the statement, again while the database is unavailable.
    async fn run_until_answered<I: BatchItem>(
        &self,
        calls: &[Box<I>],
        mut retried: bool,
    ) -> Result<Vec<F::Verdict>, Error>
    where
        F: Flush<I>,
    {
        let _timer = self.monitor.timings.flush(self.name);
        let partition: Partition = calls[0].partition();
        let began = Instant::now();
        let mut bound = TRY_BOUND;
        let mut pauses = PAUSES.build();
        loop {
            let flushing = self.flush.flush(partition, calls, retried);
            let why = match timeout(bound, flushing).await {
                Ok(Ok(verdicts)) => {
                    assert_eq!(verdicts.len(), calls.len(), "every call gets a verdict");
                    return Ok(verdicts);
                }
                Ok(Err(Error::Unavailable(why))) => why,
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    self.monitor.liveness.no_answer();
                    let why = format!("no answer within {} ms", bound.as_millis());
                    bound *= 2;
                    why
                }
            };
            let pause = pauses.next();
            let Some(pause) = pause.filter(|pause| began.elapsed() + *pause < TRY_FOR) else {
                return Err(Error::Unavailable(why));
            };
            let calls = calls.len();
            warn!(verb = self.name, calls, why, "flush failed, trying again");
            retried = true;
            sleep(pause).await;
        }
    }
}

impl<I, V> Part<I, V> {
    /// Splits it into two that are flushed again, the first half last.
    fn split(mut self) -> [Self; 2] {
        let calls = self.calls.split_off(self.calls.len() / 2);
        let later = Self {
            answers: self.answers.split_off(self.calls.len()),
            calls,
            retried: true,
        };
        self.retried = true;
        [later, self]
    }

    fn fail(self, error: &Error) {
        for answer in self.answers {
            let _ = answer.send(Err(error.clone()));
        }
    }
}
