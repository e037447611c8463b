//! The part of the budget that one sandbox has, from before it is opened until after it
//! is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::resources::{Resources, Shares};
use super::{Demand, GrowthRefusal, SandboxBudget};

/// The part of the budget that one sandbox has; returned when dropped, which must be
/// after the sandbox's store was dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<SandboxBudget>,
    /// Counts up with each reservation, so that it tells the older of two.
    number: u64,
    opened_with: Resources,
    state: Arc<ReservationState>,
    /// Bytes of `opened_with` that the sandbox's meter counts.
    metered_bytes: u64,
}

/// What a reservation holds now. Changed under the lock of the queue only.
#[derive(Debug)]
pub(super) struct ReservationState {
    bytes: AtomicU64,
    is_stopping: AtomicBool,
}

impl ReservationState {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Whether the sandbox is stopped because the budget is exhausted.
    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Marks the sandbox as stopped because the budget is exhausted; returns whether it
    /// was not marked before.
    pub(super) fn mark_stopping(&self) -> bool {
        !self.is_stopping.swap(true, Ordering::Relaxed)
    }
}

impl Reservation {
    pub(super) fn new(
        budget: Arc<SandboxBudget>,
        number: u64,
        opened_with: Resources,
        demand: &Demand,
    ) -> Arc<Self> {
        Arc::new(Self {
            budget,
            number,
            opened_with,
            state: Arc::new(ReservationState {
                bytes: AtomicU64::new(opened_with.bytes()),
                is_stopping: AtomicBool::new(false),
            }),
            metered_bytes: demand.metered_bytes,
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn opened_with(&self) -> Resources {
        self.opened_with
    }

    pub(super) fn state(&self) -> &Arc<ReservationState> {
        &self.state
    }

    /// Returns the share it would be with `bytes` in place of those it holds.
    pub(super) fn shares_with(&self, bytes: u64) -> Shares {
        self.opened_with.with_bytes(bytes).shares()
    }

    pub(super) fn metered_bytes(&self) -> u64 {
        self.metered_bytes
    }

    /// Takes `more` bytes if that many are free now.
    pub(crate) fn try_grow(&self, more: u64) -> Result<(), GrowthRefusal> {
        self.budget.try_grow(self, more)
    }

    /// Takes `more` bytes, waiting for them as long as that may help.
    pub(crate) async fn grow(&self, more: u64) -> Result<(), GrowthRefusal> {
        self.budget.grow(self, more).await
    }

    /// Returns `less` bytes to the budget.
    pub(crate) fn shrink(&self, less: u64) {
        self.budget.shrink(self, less);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.close(self);
    }
}
