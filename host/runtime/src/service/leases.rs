//! The leases that one run of a service holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use engine::pauses;
use model::Fence;
use tokio::task::AbortHandle;

use crate::attempt::CpuMeter;
use crate::host::HeldLease;
use crate::worker::LeaseSlot;

const RETURN_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Pauses before the next lease after one was returned.
const RETURN_PAUSES: ExponentialBuilder = pauses(Duration::from_millis(100), RETURN_PAUSE_MAX);

/// The leases that one run of a service holds.
pub(super) struct Leases {
    /// In the order in which they were taken.
    pub(super) held: Vec<ServiceLease>,
    /// Whether the sandbox has ended, so that no more are taken.
    pub(super) closed: bool,
    /// How many leases were taken or ended.
    pub(super) changes: u64,
    pub(super) cpu_us_at_change: u64,
    /// The pauses of leases that are returned, since one was ended.
    return_pauses: ExponentialBackoff,
    /// No lease is claimed before this; absent if there was no reason to wait.
    pub(super) not_before: Option<Instant>,
}

/// A lease that the guest holds, or has yet to drop.
pub(super) struct ServiceLease {
    pub(super) held: Arc<HeldLease>,
    /// What the lease occupies; absent once it is lost.
    pub(super) slot: Option<LeaseSlot>,
    pub(super) watch: AbortHandle,
}

impl Default for Leases {
    fn default() -> Self {
        Self {
            held: Vec::new(),
            closed: false,
            changes: 0,
            cpu_us_at_change: 0,
            return_pauses: RETURN_PAUSES.build(),
            not_before: None,
        }
    }
}

impl Leases {
    pub(super) fn push(&mut self, lease: ServiceLease, cpu: &CpuMeter) {
        self.held.push(lease);
        self.note_change(cpu);
    }

    pub(super) fn remove(&mut self, fence: Fence, cpu: &CpuMeter) -> Option<ServiceLease> {
        let at = self
            .held
            .iter()
            .position(|lease| lease.held.attempt.fence == fence)?;
        self.note_change(cpu);
        Some(self.held.remove(at))
    }

    pub(super) fn find(&mut self, fence: Fence) -> Option<&mut ServiceLease> {
        self.held
            .iter_mut()
            .find(|lease| lease.held.attempt.fence == fence)
    }

    /// Has no lease claimed before `at`.
    pub(super) fn wait_until(&mut self, at: Instant) {
        self.not_before = self.not_before.max(Some(at));
    }

    /// Notes that the guest ended a lease.
    pub(super) fn note_recorded(&mut self) {
        self.return_pauses = RETURN_PAUSES.build();
    }

    /// Notes that a lease is returned: the pause before the next one doubles each time.
    pub(super) fn note_returned(&mut self) {
        let pause = self.return_pauses.next().unwrap_or(RETURN_PAUSE_MAX);
        self.wait_until(Instant::now() + pause);
    }

    fn note_change(&mut self, cpu: &CpuMeter) {
        self.changes += 1;
        self.cpu_us_at_change = cpu.used_us();
    }
}
