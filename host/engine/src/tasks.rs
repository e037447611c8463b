//! Long-lived tasks, and what becomes of one that panics.
//!
//! Every task that runs as long as the host does is started here. A panic in one is a
//! defect; until it is fixed the host keeps running: the task is restarted after a pause,
//! the panic is counted under the task's name, and a task that panics repeatedly turns
//! readiness off, so that other hosts get the work.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::error;

use crate::Trouble;

/// Pauses before a task is restarted.
const PAUSES: ExponentialBuilder = pauses(Duration::from_millis(100), PAUSE_MAX);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// So many panics of a task within the window turn readiness off.
const REPEATED: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);

/// Builds pauses between the tries of something that is tried until it works: they double
/// from `min` to `max`, where they stay.
pub const fn pauses(min: Duration, max: Duration) -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(min)
        .with_max_delay(max)
        .without_max_times()
}

/// The long-lived tasks of a host; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tasks(Arc<Mutex<BTreeMap<&'static str, Record>>>);

/// What happened to the tasks of one name.
#[derive(Debug, Default)]
struct Record {
    panics: u64,
    /// Times of the last panics that ended a task, at most [`REPEATED`].
    last: VecDeque<Instant>,
    message: String,
}

impl Tasks {
    /// Runs the future that `begin` returns until it ends by itself, and restarts it when
    /// it panics. State that must outlive a panic belongs to `begin`, not to its future.
    pub fn spawn<B, F>(&self, name: &'static str, mut begin: B) -> JoinHandle<()>
    where
        B: FnMut() -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.lock().entry(name).or_default();
        let tasks = self.clone();
        tokio::spawn(async move {
            let mut pauses = PAUSES.build();
            loop {
                let began = Instant::now();
                // Calling it may panic as well as running what it returns.
                let run = AssertUnwindSafe(async { begin().await }).catch_unwind();
                let Err(panic) = run.await else { return };
                if began.elapsed() >= WINDOW {
                    pauses = PAUSES.build();
                }
                let pause = pauses.next().unwrap_or(PAUSE_MAX);
                let message = message_of(&*panic);
                error!(
                    task = name,
                    message,
                    pause_ms = pause.as_millis() as u64,
                    "a task panicked; it is restarted"
                );
                tasks.panicked(name, message, true);
                tokio::time::sleep(pause).await;
            }
        })
    }

    /// Runs a step of a task; a panic in it is counted, and its message returned.
    pub(crate) async fn step<F: Future>(
        &self,
        name: &'static str,
        step: F,
    ) -> Result<F::Output, String> {
        match AssertUnwindSafe(step).catch_unwind().await {
            Ok(done) => Ok(done),
            Err(panic) => {
                let message = message_of(&*panic);
                self.panicked(name, message.clone(), false);
                Err(message)
            }
        }
    }

    fn panicked(&self, name: &'static str, message: String, ended: bool) {
        let mut records = self.0.lock();
        let record = records.entry(name).or_default();
        record.panics += 1;
        record.message = message;
        if ended {
            record.last.push_back(Instant::now());
            if record.last.len() > REPEATED {
                record.last.pop_front();
            }
        }
    }

    /// Returns the number of panics of each task and its steps.
    pub fn panics(&self) -> Vec<(&'static str, u64)> {
        let records = self.0.lock();
        records
            .iter()
            .map(|(name, record)| (*name, record.panics))
            .collect()
    }

    /// Returns the tasks that panic repeatedly.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        let records = self.0.lock();
        let repeating = records.iter().filter_map(|(name, record)| {
            let first = record.last.front()?;
            let repeats = record.last.len() >= REPEATED && first.elapsed() < WINDOW;
            repeats.then(|| Trouble {
                part: format!("task {name}"),
                lasting: first.elapsed(),
                why: "it panics again and again; the log of the host says where".to_owned(),
            })
        });
        repeating.collect()
    }
}

/// Returns the message of a panic.
fn message_of(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_restarted_and_counted() {
        let tasks = Tasks::default();
        let begun = Arc::new(AtomicU32::new(0));
        let seen = begun.clone();
        let task = tasks.spawn("moody", move || {
            let nth = seen.fetch_add(1, Ordering::Relaxed);
            async move { assert!(nth >= 2, "not yet") }
        });
        task.await.expect("it ends by itself");
        assert_eq!(begun.load(Ordering::Relaxed), 3);
        assert_eq!(tasks.panics(), [("moody", 2)]);
        assert!(tasks.troubles().is_empty(), "twice may happen");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_repeatedly_is_trouble_until_it_stops() {
        let tasks = Tasks::default();
        let task = tasks.spawn("broken", || async { panic!("always") });
        tokio::time::sleep(Duration::from_secs(2)).await;
        let troubles = tasks.troubles();
        assert_eq!(troubles.len(), 1, "{troubles:?}");
        assert_eq!(troubles[0].part, "task broken");
        task.abort();
        tokio::time::sleep(WINDOW).await;
        assert!(tasks.troubles().is_empty(), "a minute without a panic");
    }

    #[tokio::test]
    async fn a_step_that_panics_is_counted_and_is_not_trouble() {
        let tasks = Tasks::default();
        for _ in 0..5 {
            let done = tasks.step("flush", async { panic!("poison {}", 1) }).await;
            assert_eq!(done.expect_err("it panicked"), "poison 1");
        }
        assert_eq!(tasks.panics(), [("flush", 5)]);
        assert!(
            tasks.troubles().is_empty(),
            "the call is the cause, not this host"
        );
    }
}
