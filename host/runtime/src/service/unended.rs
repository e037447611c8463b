//! What becomes of the executions whose leases the guest of a service did not end.

use std::sync::Arc;

use engine::Report;
use model::Failure;

use super::leases::ServiceLease;
use super::run::ServiceRun;
use crate::attempt::{Attempt, ServiceStop};
use crate::host::{HeldLease, SandboxUsage};
use crate::sandbox::AttemptEnd;
use crate::worker::{LeaseSlot, record, return_lease};

/// What becomes of an execution whose lease the guest did not end.
pub(super) enum LeaseEnd {
    /// It becomes ready again.
    Returned,
    /// Its attempt fails.
    Failed(Failure),
}

impl ServiceRun {
    /// Ends the run, because its sandbox has ended: no more leases are taken, and those
    /// it held are failed, or returned if the service was told to end. Returns how many
    /// those were, once all is recorded.
    pub(super) async fn end(self: &Arc<Self>, failure: &Failure, used: SandboxUsage) -> usize {
        let held = {
            let mut leases = self.leases.lock();
            leases.closed = true;
            std::mem::take(&mut leases.held)
        };
        self.stop(ServiceStop::Ended);
        let is_charged = !self.is_told_to_end();
        let ends = held.into_iter().map(|lease| {
            // A guest that never saw the execution did not fail it.
            let end = if is_charged && lease.held.used_before.get().is_some() {
                LeaseEnd::Failed(failure.clone())
            } else {
                LeaseEnd::Returned
            };
            self.clone().finish(lease, Some(used), end)
        });
        futures::future::join_all(ends).await.len()
    }

    /// Records the end of a lease that the guest does not hold any more, and
    /// frees its slot. `used` is absent if the guest never held it.
    pub(super) async fn finish(
        self: Arc<Self>,
        lease: ServiceLease,
        used: Option<SandboxUsage>,
        end: LeaseEnd,
    ) {
        lease.watch.abort();
        let held = &lease.held;
        // Leases are declared lost as well when the grace of the host is over,
        // so that guests stop.
        let is_lost = held.attempt.is_stopping() && !self.worker.is_forced_to_stop();
        if lease.slot.is_none() || is_lost {
            self.close_lost(held, lease.slot);
            return;
        }
        let report = self.report(held, used);
        match end {
            LeaseEnd::Returned => {
                return_lease(&self.worker, held, report).await;
                self.close(held, lease.slot, "returned");
            }
            LeaseEnd::Failed(failure) => {
                self.record(held, report, AttemptEnd::Failed(failure), lease.slot)
                    .await;
            }
        }
    }

    /// Records how an attempt ended, and frees its slot.
    pub(super) async fn record(
        &self,
        held: &HeldLease,
        report: Report,
        end: AttemptEnd,
        slot: Option<LeaseSlot>,
    ) {
        let label = end.label().to_owned();
        record(&self.worker, held, report, end).await;
        self.close(held, slot, &label);
    }

    pub(super) fn report(&self, held: &HeldLease, used: Option<SandboxUsage>) -> Report {
        Report {
            component_id: Some(self.assignment.component_id),
            usage: used.map(|used| held.usage(&used)),
            log: held.log_snapshot(),
        }
    }

    /// Frees the slot of a lease and counts its end, unless that was done when it was lost.
    pub(super) fn close(&self, held: &HeldLease, slot: Option<LeaseSlot>, label: &str) {
        if let Some(slot) = slot {
            let wall_us = held.attempt.elapsed_ms().saturating_mul(1000);
            self.worker.counters.count_end(label, wall_us);
            drop(slot);
        }
    }

    /// As [`Self::close`], for a lease that was lost, which counts as it does for a handler.
    pub(super) fn close_lost(&self, held: &HeldLease, slot: Option<LeaseSlot>) {
        self.close(held, slot, lost_label(&held.attempt));
    }
}

fn lost_label(attempt: &Attempt) -> &'static str {
    if attempt.is_cancelled() {
        "cancelled"
    } else {
        "lease_lost"
    }
}
