//! What a lease occupies on this host, from before its claim until its end is recorded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Claimed;
use model::LeaseId;
use tokio::sync::OwnedSemaphorePermit;

use super::Worker;
use crate::attempt::Attempt;

/// A slot of the worker; for a service together with its share of the slots that services
/// may have.
pub(crate) type Slot = Vec<OwnedSemaphorePermit>;

/// A lease that the keeper renews, and its slot. Dropping it ends both, also after a
/// panic: otherwise the keeper would renew a lease for ever that no guest holds. It
/// expires instead.
pub(crate) struct LeaseSlot {
    worker: Arc<Worker>,
    lease_id: LeaseId,
    slot: Slot,
}

impl Worker {
    /// Has the keeper renew the lease of an execution claimed with a claim sent at
    /// `sent`, until the slot returned is dropped.
    pub(crate) fn keep_lease(
        self: &Arc<Self>,
        claimed: &Claimed,
        sent: Instant,
        slot: Slot,
    ) -> (Arc<Attempt>, LeaseSlot) {
        let attempt = Arc::new(Attempt::new(
            claimed.fence,
            sent,
            Duration::from_millis(u64::from(self.settings.lease_ttl_ms)),
            claimed.attempt_timeout_ms,
            &self.limits,
        ));
        let lease_id = claimed.fence.lease_id;
        self.counters.started.inc();
        self.attempts.lock().insert(lease_id, attempt.clone());
        let slot = LeaseSlot {
            worker: self.clone(),
            lease_id,
            slot,
        };
        (attempt, slot)
    }
}

impl Drop for LeaseSlot {
    fn drop(&mut self) {
        self.worker.attempts.lock().remove(&self.lease_id);
        self.slot.clear();
        self.worker.close_if_done();
    }
}
