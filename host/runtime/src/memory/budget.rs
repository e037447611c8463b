//! What all sandboxes of a host have together, and the rules by which they get it.
//!
//! Four resources are counted: sandboxes, memories, tables and bytes. A sandbox that has
//! more than [`SMALL_MAX`] of any is a *big* one, and becomes one when it grows.
//!
//! ```text
//! reserve ── fits? ─▶ Reservation      grow ── fits? ─▶ granted
//!     └─▶ waits in order                   └─▶ waits, at most GROWTH_WAIT_MAX
//!                                                  └─▶ the sandbox is stopped
//! ```
//!
//! - Big sandboxes have at most three quarters of memories, tables and bytes, so that
//!   the rest is left to small ones.
//! - While a big one waits, small ones are opened only as long as they are within a
//!   quarter, so that it does not wait in vain.
//! - Openings of a size are served in order; growth is served before them, the oldest
//!   sandbox first.
//!
//! # No deadlock
//!
//! A sandbox that waits to be opened holds nothing. One that waits to grow does, so all
//! sandboxes could wait for each other. Each such wait therefore has an end of its own
//! ([`GROWTH_WAIT_MAX`]); and it ends immediately, for the youngest, when every open
//! sandbox waits to grow, or when a small one is refused bytes: then the sandbox is
//! stopped and what it held is free. No second one is stopped before the first is
//! closed. An opening waits as long as its lease holds, for sandboxes of which each has a
//! bounded lifetime.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::queue::AdmissionQueue;
use super::reservation::{Reservation, ReservationState};
use super::resources::{Resources, SMALL_MAX, Shares};
use super::{Demand, GrowthRefusal, PoolSize};

/// Longest a sandbox waits to grow.
const GROWTH_WAIT_MAX: Duration = Duration::from_secs(10);

/// What all sandboxes of a host may have together.
#[derive(Debug)]
pub(crate) struct SandboxBudget {
    pub(super) total: Resources,
    pub(super) growth_wait_max: Duration,
    /// Bytes that the pool keeps of closed sandboxes, beside the budget.
    kept_bytes: u64,
    queue: Mutex<AdmissionQueue>,
    /// Small sandboxes that wait to be opened.
    small_waiting: AtomicUsize,
    /// Big sandboxes that wait to be opened.
    big_waiting: AtomicUsize,
    /// Notified when no more openings of a size wait.
    queue_emptied: Notify,
    refused: AtomicU64,
}

/// Which sandboxes could be opened without waiting behind others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Sandboxes of any size.
    All,
    /// Small sandboxes, but no big ones.
    Small,
    /// No sandboxes of any size.
    None,
}

/// How much of the budget is used at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Occupancy {
    pub(crate) bytes: u64,
    pub(crate) bytes_max: u64,
    pub(crate) sandboxes: u64,
    pub(crate) sandboxes_max: u64,
    /// Sandboxes that wait to be opened.
    pub(crate) opening: u64,
    /// Sandboxes that wait to grow.
    pub(crate) growing: u64,
    /// Sandboxes stopped since the start because they could not grow.
    pub(crate) refused: u64,
}

impl SandboxBudget {
    /// Builds the budget of a pool of this size whose sandboxes hold at most
    /// `memory_bytes` together.
    pub(crate) fn new(size: &PoolSize, memory_bytes: u64) -> Arc<Self> {
        Self::with_growth_wait_max(size, memory_bytes, GROWTH_WAIT_MAX)
    }

    pub(super) fn with_growth_wait_max(
        size: &PoolSize,
        memory_bytes: u64,
        growth_wait_max: Duration,
    ) -> Arc<Self> {
        let total = Resources([
            size.sandboxes.into(),
            size.memories.into(),
            size.tables.into(),
            memory_bytes,
        ]);
        Arc::new(Self {
            total,
            growth_wait_max,
            kept_bytes: size.kept_bytes(),
            queue: Mutex::new(AdmissionQueue::new()),
            small_waiting: AtomicUsize::new(0),
            big_waiting: AtomicUsize::new(0),
            queue_emptied: Notify::new(),
            refused: AtomicU64::new(0),
        })
    }

    /// Whether a sandbox with this demand is a small one.
    pub(crate) fn is_small(demand: &Demand) -> bool {
        Resources::of(demand).within(SMALL_MAX)
    }

    /// Returns why a sandbox with this demand can never be opened, however long it
    /// waits; `None` if it can be.
    pub(crate) fn never_fits(&self, demand: &Demand) -> Option<String> {
        let shares = Resources::of(demand).shares();
        let words = [
            ("sandboxes", "runtime.sandboxes_max"),
            ("memories", "runtime.sandboxes_max"),
            ("tables", "runtime.sandboxes_max"),
            ("bytes", "runtime.memory_bytes_max"),
        ];
        shares
            .big
            .0
            .iter()
            .zip(self.total.quarters(3).0)
            .zip(words)
            .find(|((has, max), _)| *has > max)
            .map(|((has, max), (what, setting))| {
                format!("it takes {has} {what}; all such sandboxes of this host have {max} together ({setting})")
            })
    }

    /// Returns which sandboxes may be opened without waiting: none of a size of which
    /// some wait, and no big ones while small ones do.
    pub(crate) fn admission(&self) -> Admission {
        if self.small_waiting.load(Ordering::Relaxed) > 0 {
            Admission::None
        } else if self.big_waiting.load(Ordering::Relaxed) > 0 {
            Admission::Small
        } else {
            Admission::All
        }
    }

    /// Waits until no more openings of a size wait, from the moment this is first polled
    /// or enabled.
    pub(crate) fn queue_emptied(&self) -> Notified<'_> {
        self.queue_emptied.notified()
    }

    /// Returns about how many sandboxes could be opened now, if they are like the latest
    /// ones.
    pub(crate) fn openings_left(&self) -> usize {
        let queue = self.queue();
        let free = self.total.minus(queue.used.sum());
        let openings = free
            .0
            .iter()
            .zip(queue.typical.0)
            .map(|(free, each)| free / each.max(1))
            .min();
        usize::try_from(openings.unwrap_or(0)).unwrap_or(usize::MAX)
    }

    /// Returns how much of the budget is used now.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let queue = self.queue();
        let used = queue.used.sum();
        Occupancy {
            bytes: used.bytes(),
            bytes_max: self.total.bytes(),
            sandboxes: used.0[0],
            sandboxes_max: self.total.0[0],
            opening: (queue.small_openings.len() + queue.big_openings.len()) as u64,
            growing: queue.growths.len() as u64,
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Returns the most bytes that the pool keeps of closed sandboxes, beside the budget.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Returns everything that a sandbox held.
    pub(super) fn close(&self, reservation: &Reservation) {
        let mut queue = self.queue();
        let state = reservation.state();
        if state.is_stopping() {
            queue.stopping -= 1;
        }
        self.release(&mut queue, &reservation.shares_with(state.bytes()));
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, AdmissionQueue> {
        self.queue.lock()
    }

    pub(super) fn release(&self, queue: &mut AdmissionQueue, shares: &Shares) {
        queue.used = queue.used.minus(*shares);
        self.grant_if_waited_for(queue);
    }

    pub(super) fn grant_if_waited_for(&self, queue: &mut AdmissionQueue) {
        if !queue.is_empty() {
            self.grant(queue);
        }
    }

    /// Grants what has become free to the sandboxes that wait.
    pub(super) fn grant(&self, queue: &mut AdmissionQueue) {
        queue.grant_growths(&self.total);
        queue.grant_openings(&self.total);
        self.break_deadlock(queue);
        self.publish_lengths(queue);
    }

    /// Stops the youngest sandbox that waits to grow, if otherwise no sandbox could
    /// continue or a small one lacks bytes.
    pub(super) fn break_deadlock(&self, queue: &mut AdmissionQueue) {
        if queue.stopping > 0 || queue.growths.is_empty() {
            return;
        }
        let at = if queue.growths.len() as u64 >= queue.used.sum().0[0] {
            queue.growths.len() - 1
        } else if queue.lacks_small_bytes(&self.total)
            && let Some(at) = queue.growths.iter().rposition(|it| it.after().is_big())
        {
            at
        } else {
            return;
        };
        let growth = queue.growths.remove(at);
        self.mark_stopping(queue, &growth.state);
        // A waiter that left meanwhile was answered already.
        let _ = growth.answer.send(Err(GrowthRefusal::BudgetExhausted));
    }

    /// Marks a sandbox as one that is stopped because the budget is exhausted.
    pub(super) fn mark_stopping(&self, queue: &mut AdmissionQueue, state: &ReservationState) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        if state.mark_stopping() {
            queue.stopping += 1;
        }
    }

    /// Makes the lengths of the queue readable without its lock.
    pub(super) fn publish_lengths(&self, queue: &AdmissionQueue) {
        let publish = |waiting: &AtomicUsize, now: usize| {
            let before = waiting.swap(now, Ordering::Relaxed);
            before > 0 && now == 0
        };
        let small = publish(&self.small_waiting, queue.small_openings.len());
        let big = publish(&self.big_waiting, queue.big_openings.len());
        if small || big {
            self.queue_emptied.notify_waiters();
        }
    }
}
