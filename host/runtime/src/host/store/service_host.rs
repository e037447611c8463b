//! What the interfaces need of a running service. It is implemented above this folder,
//! where leases are claimed and recorded.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use model::Digest;

use super::{HeldLease, SandboxUsage};
use crate::attempt::{AttemptLog, CpuMeter, ServiceStop};

/// Why `claim.next` returned no lease.
#[derive(Debug)]
pub(crate) enum NextRefusal {
    /// The host drains, or no kind is routed to the service any more.
    Draining,
    /// The sandbox holds this many leases, which is all it may.
    TooManyLeases(u32),
    /// The engine did not answer.
    Unavailable(engine::Error),
}

/// Writes to a log, given the present time in it in milliseconds.
pub(crate) type WriteLog<'a> = Box<dyn FnOnce(&mut AttemptLog, u64) + 'a>;

/// A running service, as its sandbox and the interfaces see it.
pub(crate) trait ServiceHost: Send + Sync {
    /// Returns the component that runs.
    fn digest(&self) -> Digest;

    /// Returns what meters the guest's time on the processor.
    fn cpu(&self) -> &CpuMeter;

    /// Gives access to the log of the lease taken last of those held, or to that of the
    /// host.
    fn with_log(&self, f: WriteLog<'_>);

    /// Returns the leases that still hold, in the order they were taken.
    fn held(&self) -> Vec<Arc<HeldLease>>;

    /// Whether executions of this kind are routed to the component.
    fn serves(&self, kind: &str) -> bool;

    /// Waits until the service is asked to end.
    fn told_to_end(self: Arc<Self>) -> BoxFuture<'static, ()>;

    /// Returns a number that changes with each lease taken or ended.
    fn lease_changes(&self) -> u64;

    /// Claims an execution of the kinds routed to the component, waiting at most
    /// `wait_max` for one. Must be polled on the main runtime.
    fn next(
        self: Arc<Self>,
        wait_max: Duration,
    ) -> BoxFuture<'static, Result<Option<Arc<HeldLease>>, NextRefusal>>;

    /// Notes that the guest ended a lease.
    fn recorded(&self, held: &HeldLease);

    /// Notes that a guest that wanted to end a lease was told that it is gone.
    fn lost(&self, held: &HeldLease);

    /// Notes that the guest dropped the handle of a lease, which matters if it had not
    /// ended the lease.
    fn dropped(self: Arc<Self>, held: &HeldLease, used: SandboxUsage);

    /// Returns how long the guest has computed since it took or ended a lease, in
    /// microseconds.
    fn computed_us(&self) -> u64;

    /// Returns why the guest must stop now, if it must.
    fn due(&self) -> Option<ServiceStop>;

    /// Waits until the guest must stop, and returns why.
    fn stopped(&self) -> BoxFuture<'_, ServiceStop>;
}
