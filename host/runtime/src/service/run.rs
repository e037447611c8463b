//! One run of a service, as its sandbox and the interfaces see it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Claimed;
use futures::future::BoxFuture;
use model::{Digest, Failure, FailureClass};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::assignment::ServiceAssignment;
use super::idle_log::IdleLog;
use super::leases::{Leases, ServiceLease};
use super::unended::LeaseEnd;
use super::watch::watch_lease;
use crate::attempt::{CpuMeter, ServiceStop};
use crate::host::{HeldLease, NextRefusal, SandboxUsage, ServiceHost, WriteLog};
use crate::worker::{Slot, Worker};

/// One run of a service: the leases its sandbox holds, and when it must end.
pub(super) struct ServiceRun {
    pub(super) worker: Arc<Worker>,
    pub(super) assignment: Arc<ServiceAssignment>,
    pub(super) leases: Mutex<Leases>,
    pub(super) cpu: CpuMeter,
    stop: watch::Sender<Option<ServiceStop>>,
    idle_log: Mutex<IdleLog>,
}

impl ServiceRun {
    pub(super) fn new(worker: Arc<Worker>, assignment: Arc<ServiceAssignment>) -> Arc<Self> {
        Arc::new(Self {
            leases: Mutex::default(),
            cpu: CpuMeter::new(Instant::now()),
            stop: watch::Sender::new(None),
            idle_log: Mutex::new(IdleLog::new(assignment.digest, &worker.limits)),
            worker,
            assignment,
        })
    }

    /// Has the guest stop within a tick; the first reason counts.
    pub(super) fn stop(&self, why: ServiceStop) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert(why);
            first
        });
    }

    /// Returns the end of what the guest wrote to standard error.
    pub(super) fn stderr_tail(&self) -> String {
        match self.latest_lease() {
            Some(held) => held.attempt.with_log(|log, _| log.stderr_tail()),
            None => self.idle_log.lock().stderr_tail(),
        }
    }

    /// Takes up an execution claimed with a claim sent at `sent`. If the sandbox
    /// has ended meanwhile, its lease is returned, and `None` is the answer.
    pub(super) fn take(
        self: &Arc<Self>,
        claimed: Claimed,
        sent: Instant,
        slot: Slot,
    ) -> Option<Arc<HeldLease>> {
        let main = &self.worker.main;
        let (attempt, slot) = self.worker.keep_lease(&claimed, sent, slot);
        let held = Arc::new(HeldLease::new(attempt, claimed));
        // Under the lock, so that the watch finds what it watches.
        let mut leases = self.leases.lock();
        let lease = ServiceLease {
            held: held.clone(),
            slot: Some(slot),
            watch: main
                .spawn(watch_lease(self.clone(), held.clone()))
                .abort_handle(),
        };
        if leases.closed {
            drop(leases);
            main.spawn(self.clone().finish(lease, None, LeaseEnd::Returned));
            return None;
        }
        leases.push(lease, &self.cpu);
        Some(held)
    }

    pub(super) fn is_told_to_end(&self) -> bool {
        self.assignment.is_retired() || self.worker.is_draining() || self.worker.is_forced_to_stop()
    }

    fn latest_lease(&self) -> Option<Arc<HeldLease>> {
        self.leases
            .lock()
            .held
            .last()
            .map(|lease| lease.held.clone())
    }

    fn remove(&self, held: &HeldLease) -> Option<ServiceLease> {
        let lease = self.leases.lock().remove(held.attempt.fence, &self.cpu)?;
        lease.watch.abort();
        Some(lease)
    }
}

impl ServiceHost for ServiceRun {
    fn digest(&self) -> Digest {
        self.assignment.digest
    }

    fn cpu(&self) -> &CpuMeter {
        &self.cpu
    }

    fn with_log(&self, f: WriteLog<'_>) {
        match self.latest_lease() {
            Some(held) => held.attempt.with_log(f),
            None => self.idle_log.lock().with(f),
        }
    }

    fn held(&self) -> Vec<Arc<HeldLease>> {
        self.leases
            .lock()
            .held
            .iter()
            .filter(|lease| lease.slot.is_some())
            .map(|lease| lease.held.clone())
            .collect()
    }

    fn serves(&self, kind: &str) -> bool {
        self.assignment.claims(kind)
    }

    fn told_to_end(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.assignment.retired().await })
    }

    fn lease_changes(&self) -> u64 {
        self.leases.lock().changes
    }

    fn next(
        self: Arc<Self>,
        wait_max: Duration,
    ) -> BoxFuture<'static, Result<Option<Arc<HeldLease>>, NextRefusal>> {
        Box::pin(self.claim_next(wait_max))
    }

    fn recorded(&self, held: &HeldLease) {
        if let Some(lease) = self.remove(held) {
            self.leases.lock().note_recorded();
            self.close(held, lease.slot, "recorded");
        }
    }

    fn lost(&self, held: &HeldLease) {
        if let Some(lease) = self.remove(held) {
            self.close_lost(held, lease.slot);
        }
    }

    fn dropped(self: Arc<Self>, held: &HeldLease, used: SandboxUsage) {
        let Some(lease) = self.remove(held) else {
            return;
        };
        // A guest that drops a lost lease does what it should.
        let end = if self.is_told_to_end() || held.attempt.is_stopping() {
            LeaseEnd::Returned
        } else if held.was_reclaimed {
            LeaseEnd::Failed(Failure::new(
                FailureClass::Transient,
                "lease_dropped",
                "the service dropped the lease without an outcome, and an earlier lease on this execution was dropped or lost as well",
            ))
        } else {
            self.leases.lock().note_returned();
            LeaseEnd::Returned
        };
        let main = self.worker.main.clone();
        main.spawn(self.finish(lease, Some(used), end));
    }

    fn computed_us(&self) -> u64 {
        let before_us = self.leases.lock().cpu_us_at_change;
        self.cpu.used_us().saturating_sub(before_us)
    }

    fn due(&self) -> Option<ServiceStop> {
        if let Some(stop) = *self.stop.borrow() {
            return Some(stop);
        }
        let cpu_ms_max = self.worker.limits.cpu_ms_max;
        let holds_lease = !self.leases.lock().held.is_empty();
        (holds_lease && self.computed_us() > u64::from(cpu_ms_max) * 1000)
            .then_some(ServiceStop::CpuLimit(cpu_ms_max))
    }

    fn stopped(&self) -> BoxFuture<'_, ServiceStop> {
        Box::pin(async {
            let mut stop = self.stop.subscribe();
            match stop.wait_for(Option::is_some).await {
                Ok(stop) => stop.unwrap_or(ServiceStop::Ended),
                Err(_closed) => ServiceStop::Ended,
            }
        })
    }
}
