//! Watches one lease of a service until it is gone.

use std::sync::Arc;
use std::time::Duration;

use super::run::ServiceRun;
use crate::attempt::{ServiceStop, Stop};
use crate::host::HeldLease;
use crate::sandbox::verdict;

/// Waits until a lease is gone, frees its slot, and stops the service if it
/// still holds it after the grace.
pub(super) async fn watch_lease(run: Arc<ServiceRun>, held: Arc<HeldLease>) {
    let stop = held.attempt.stopped().await;
    if run.worker.is_forced_to_stop() {
        // The sandbox is being stopped, and the leases it holds are returned.
        return;
    }
    let grace = Duration::from_millis(u64::from(run.worker.limits.cancel_grace_ms));
    let slot = run
        .leases
        .lock()
        .find(held.attempt.fence)
        .and_then(|lease| lease.slot.take());
    match stop {
        Stop::AttemptTimeout | Stop::CpuLimit(_) => {
            // Stopping, as the guest sees it, but the lease still holds for
            // this one write.
            held.attempt.lose();
            let (run, held) = (run.clone(), held.clone());
            // In a task of its own, since the watch ends when the guest drops the lease.
            tokio::spawn(async move {
                let report = run.report(&held, None);
                run.record(&held, report, verdict::of_stop(stop), slot)
                    .await;
            });
            tokio::time::sleep(grace).await;
        }
        Stop::LeaseLost => {
            run.close_lost(&held, slot);
            tokio::time::sleep(grace).await;
        }
        // The end is recorded, and the service continues.
        Stop::GraceExpired => return,
        // The grace has passed already.
        Stop::Cancelled => run.close_lost(&held, slot),
    }
    run.stop(ServiceStop::LeaseKept(held.attempt.fence.execution_id));
}
