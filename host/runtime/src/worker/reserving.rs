//! Reserves a part of the budget for the sandbox of an attempt before it is opened.
//!
//! An attempt that has to wait does so in order, with its slot and its lease, which the
//! keeper renews; no further attempt is counted. Meanwhile the worker neither claims
//! kinds whose sandboxes would have to wait as well nor takes them directly: another host
//! may have resources left.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use engine::pauses;
use futures::FutureExt as _;
use parking_lot::Mutex;

use super::Worker;
use super::log_throttle::LogThrottle;
use crate::attempt::{Attempt, Stop};
use crate::component::registry::Loaded;
use crate::memory::{Demand, Reservation};

const PAUSE_MAX: Duration = Duration::from_secs(30);
const PAUSES: ExponentialBuilder = pauses(Duration::from_millis(100), PAUSE_MAX);

/// Sandboxes that could not be opened lately, and how often the log said so.
#[derive(Debug, Default)]
pub(super) struct OpenFailures {
    /// Whether the latest sandbox could not be opened.
    is_failing: AtomicBool,
    /// The pauses that follow; absent while sandboxes are opened.
    pauses: Mutex<Option<ExponentialBackoff>>,
    waits: LogThrottle,
    failures: LogThrottle,
}

impl OpenFailures {
    /// Notes that a sandbox was opened.
    pub(super) fn clear(&self) {
        // Read first: it is unset nearly always, and shared by all threads.
        if self.is_failing.load(Ordering::Relaxed) {
            self.is_failing.store(false, Ordering::Relaxed);
            *self.pauses.lock() = None;
        }
    }

    /// Counts a sandbox that could not be opened; returns the pause before the next try,
    /// which doubles each time.
    fn count(&self) -> Duration {
        self.is_failing.store(true, Ordering::Relaxed);
        let mut pauses = self.pauses.lock();
        let pauses = pauses.get_or_insert_with(|| PAUSES.build());
        pauses.next().unwrap_or(PAUSE_MAX)
    }
}

/// Reserves what a sandbox of `loaded` demands, for whose task the host keeps
/// `kept_bytes`; waits for it as long as the attempt may run.
pub(super) async fn reserve(
    worker: &Worker,
    loaded: &Loaded,
    kept_bytes: u64,
    attempt: &Attempt,
) -> Result<Arc<Reservation>, Stop> {
    let demand = loaded.footprint.demand(&worker.limits, kept_bytes);
    match worker.budget().try_reserve(&demand) {
        Some(reservation) => Ok(reservation),
        None => wait(worker, &demand, attempt).await,
    }
}

async fn wait(
    worker: &Worker,
    demand: &Demand,
    attempt: &Attempt,
) -> Result<Arc<Reservation>, Stop> {
    if let Some(others) = worker.open_failures.waits.allow() {
        let occupancy = worker.budget().occupancy();
        tracing::warn!(
            execution = %attempt.fence.execution_id,
            others,
            sandboxes = occupancy.sandboxes,
            sandboxes_max = occupancy.sandboxes_max,
            bytes = occupancy.bytes,
            bytes_max = occupancy.bytes_max,
            "executions wait for room for their sandboxes, and no more like them are claimed meanwhile (runtime.memory_bytes_max, runtime.sandboxes_max)"
        );
    }
    let mut reserving = pin!(worker.budget().reserve(demand));
    if let Some(reservation) = reserving.as_mut().now_or_never() {
        return Ok(reservation);
    }
    // It waits in the queue now; the next claim decides again which kinds this worker takes
    // directly.
    if let Some(dispatch) = worker.dispatch.get() {
        dispatch.close();
    }
    worker.claim_wakeup.notify_one();
    tokio::select! {
        biased;
        stop = attempt.stopped() => Err(stop),
        reservation = reserving => Ok(reservation),
    }
}

/// Waits before a sandbox that could not be opened is tried again, or its lease is
/// returned: longer each time, so that neither is repeated without a pause.
pub(super) async fn pause(worker: &Worker, attempt: &Attempt, why: &str) -> Result<(), Stop> {
    let pause = worker.open_failures.count();
    if let Some(others) = worker.open_failures.failures.allow() {
        tracing::warn!(
            execution = %attempt.fence.execution_id,
            others,
            why,
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            "no sandbox was opened"
        );
    }
    if worker.is_draining() {
        return Ok(());
    }
    tokio::select! {
        biased;
        stop = attempt.stopped() => Err(stop),
        () = tokio::time::sleep(pause) => Ok(()),
    }
}
