//! Takes room for the sandbox of an attempt before it is opened.
//!
//! What finds no room waits in order, with its slot and its lease, which the keeper
//! renews; it begins no attempt anew. Meanwhile the worker neither claims kinds whose
//! sandboxes would have to wait as well nor stands by for them: another host may have
//! room.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt as _;

use super::Worker;
use super::throttle::Throttle;
use crate::attempt::{Attempt, Stop};
use crate::registry::Loaded;
use crate::room::{Seat, Wanted};

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What has not been opened lately, and how often that was said.
#[derive(Debug, Default)]
pub(super) struct Unopened {
    in_a_row: AtomicU32,
    waits: Throttle,
    returns: Throttle,
}

impl Unopened {
    /// A sandbox was opened.
    pub(super) fn opened(&self) {
        // Read first: it is zero nearly always, and shared by all threads.
        if self.in_a_row.load(Ordering::Relaxed) > 0 {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Returns how long to wait after one more that was not: twice as long each time.
    fn pause(&self) -> Duration {
        let before = self.in_a_row.fetch_add(1, Ordering::Relaxed);
        PAUSE_MIN.saturating_mul(1 << before.min(16)).min(PAUSE_MAX)
    }
}

/// Takes room for a sandbox of `loaded`, for whose task the host keeps `kept_bytes`;
/// waits for it as long as the attempt may go on.
pub(super) async fn seat(
    worker: &Worker,
    loaded: &Loaded,
    kept_bytes: u64,
    attempt: &Attempt,
) -> Result<Arc<Seat>, Stop> {
    let wanted = loaded.needs.wanted(&worker.limits, kept_bytes);
    match worker.room().try_open(&wanted) {
        Some(seat) => Ok(seat),
        None => wait(worker, &wanted, attempt).await,
    }
}

async fn wait(worker: &Worker, wanted: &Wanted, attempt: &Attempt) -> Result<Arc<Seat>, Stop> {
    if let Some(others) = worker.unopened.waits.speak() {
        let room = worker.room().occupancy();
        tracing::warn!(
            execution = %attempt.fence.execution_id,
            others,
            sandboxes = room.sandboxes,
            sandboxes_max = room.sandboxes_max,
            bytes = room.bytes,
            bytes_max = room.bytes_max,
            "executions wait for room for their sandboxes, and no more like them are claimed meanwhile (runtime.memory_bytes_max, runtime.sandboxes_max)"
        );
    }
    let mut opening = pin!(worker.room().open(wanted));
    if let Some(seat) = opening.as_mut().now_or_never() {
        return Ok(seat);
    }
    // It stands in line now, and counts when the next claim decides for what to stand by.
    if let Some(standby) = worker.standby.get() {
        standby.close();
    }
    worker.stirred.notify_one();
    tokio::select! {
        biased;
        stop = attempt.stopped() => Err(stop),
        seat = opening => Ok(seat),
    }
}

/// Waits before a sandbox is opened again that could not be, or its lease is given
/// back: longer each time, so that neither goes round without a pause.
pub(super) async fn pause(worker: &Worker, attempt: &Attempt, why: &str) -> Result<(), Stop> {
    let pause = worker.unopened.pause();
    if let Some(others) = worker.unopened.returns.speak() {
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
