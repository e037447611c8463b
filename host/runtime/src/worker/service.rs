//! One life of a service: the leases its sandbox holds, and when it must end.
//!
//! ```text
//! taken ──▶ held ──▶ recorded    by `complete`
//!            ├─────▶ dropped     given back; failed, if it came back before
//!            ├─────▶ lost        let go within the grace, or the sandbox ends
//!            └─────▶ the sandbox ends: failed, or given back if told to end
//! ```
//!
//! A lease has its slot before it is claimed and until its end is recorded. A
//! service that does not end what it claims is charged for it, so that none
//! makes executions go round for ever.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use engine::{Claimed, Report};
use model::{AttemptType, Digest, ExecutionId, Failure, FailureClass, Fence};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::AbortHandle;

use super::Worker;
use super::recording::{self, Ending};
use super::serving::Post;
use crate::attempt::{Attempt, Stop};
use crate::attempt_log::AttemptLog;
use crate::cpu_meter::CpuMeter;
use crate::held::{Held, Spent};
use crate::idle_log::IdleLog;
use crate::keeper::usable;
use crate::verdict::Ended;

/// Pause before the next lease after one was given back; it doubles each time.
const GIVE_BACK_PAUSE_MIN: Duration = Duration::from_millis(100);
const GIVE_BACK_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Why a service is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ServiceStop {
    /// It did not let go of a lease that is gone.
    #[error(
        "the service kept the lease on execution {0} after it was lost, cancelled or out of time, for longer than the grace (sandbox.cancel_grace_ms)"
    )]
    LeaseKept(ExecutionId),
    /// It computed too long.
    #[error(
        "the service computed for more than {0} ms under a lease without ending one (sandbox.cpu_ms_max)"
    )]
    CpuLimit(u32),
    /// It was told to end and did not.
    #[error("the service was told to end and did not return within the grace")]
    Retired,
    /// Its sandbox is gone.
    #[error("the sandbox of the service has ended")]
    Ended,
}

/// One life of a service.
pub(crate) struct Service {
    pub(crate) cpu: CpuMeter,
    pub(super) worker: Arc<Worker>,
    pub(super) post: Arc<Post>,
    stop: watch::Sender<Option<ServiceStop>>,
    leases: Mutex<Leases>,
    idle: Mutex<IdleLog>,
}

#[derive(Default)]
struct Leases {
    /// In the order they were taken.
    taken: Vec<Taken>,
    /// Whether none is taken any more.
    over: bool,
    /// How many were taken or ended.
    turn: u64,
    cpu_at_turn_us: u64,
    /// How many were given back since one was ended.
    given_back: u32,
    /// None is claimed before.
    not_before: Option<Instant>,
}

/// A lease that the guest holds, or ought to have let go.
struct Taken {
    held: Arc<Held>,
    /// What it occupies; nothing once it is lost.
    slot: Option<Slot>,
    watch: AbortHandle,
}

/// What a lease occupies.
pub(super) struct Slot {
    /// A part of what services may have of the slots, all together.
    pub(super) _share: OwnedSemaphorePermit,
    /// A slot of the worker.
    pub(super) _slot: OwnedSemaphorePermit,
}

/// What becomes of an execution whose lease the guest did not end.
enum Fate {
    GivenBack,
    Failed(Failure),
}

impl Service {
    pub(super) fn new(worker: Arc<Worker>, post: Arc<Post>) -> Arc<Self> {
        Arc::new(Self {
            cpu: CpuMeter::new(Instant::now()),
            stop: watch::Sender::new(None),
            leases: Mutex::default(),
            idle: Mutex::new(IdleLog::new(post.digest, &worker.limits)),
            worker,
            post,
        })
    }

    /// Returns which component it is.
    pub(crate) fn digest(&self) -> Digest {
        self.post.digest
    }

    /// Returns a number that changes with each lease taken or ended.
    pub(crate) fn turn(&self) -> u64 {
        self.leases().turn
    }

    /// Returns the leases that still hold, in the order they were taken.
    pub(crate) fn held(&self) -> Vec<Arc<Held>> {
        self.leases()
            .taken
            .iter()
            .filter(|taken| taken.slot.is_some())
            .map(|taken| taken.held.clone())
            .collect()
    }

    /// Gives access to the log of the lease taken last of those held, or to that
    /// of the host.
    pub(crate) fn with_log(&self, f: impl FnOnce(&mut AttemptLog, u64)) {
        let last = self.leases().taken.last().map(|taken| taken.held.clone());
        match last {
            Some(held) => held.attempt.with_log(f),
            None => self
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .with(f),
        }
    }

    /// Returns the last of what it wrote to standard error.
    pub(super) fn stderr_tail(&self) -> String {
        let last = self.leases().taken.last().map(|taken| taken.held.clone());
        match last {
            Some(held) => held.attempt.with_log(|log, _| log.stderr_tail()),
            None => self
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .stderr_tail(),
        }
    }

    /// Returns why the guest must stop now, if it must.
    pub(crate) fn due(&self) -> Option<ServiceStop> {
        if let Some(stop) = *self.stop.borrow() {
            return Some(stop);
        }
        let cpu_ms_max = self.worker.limits.cpu_ms_max;
        let leases = self.leases();
        let computed_us = self.cpu.used_us().saturating_sub(leases.cpu_at_turn_us);
        (!leases.taken.is_empty() && computed_us > u64::from(cpu_ms_max) * 1000)
            .then_some(ServiceStop::CpuLimit(cpu_ms_max))
    }

    /// Waits until the guest must stop, and says why.
    pub(crate) async fn stopped(&self) -> ServiceStop {
        let mut stop = self.stop.subscribe();
        match stop.wait_for(Option::is_some).await {
            Ok(stop) => stop.unwrap_or(ServiceStop::Ended),
            Err(_closed) => ServiceStop::Ended,
        }
    }

    /// Has the guest stop within a tick; the first reason counts.
    pub(super) fn stop(&self, why: ServiceStop) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert(why);
            first
        });
    }

    /// Returns how many leases the sandbox holds.
    pub(super) fn holds(&self) -> usize {
        self.leases().taken.len()
    }

    /// Returns before when nothing is to be claimed.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.leases().not_before
    }

    /// Claims nothing before this.
    pub(super) fn wait_until(&self, at: Instant) {
        let mut leases = self.leases();
        leases.not_before = leases.not_before.max(Some(at));
    }

    /// Takes up an execution claimed with a claim sent at `sent`. If the sandbox
    /// has ended meanwhile, it is given back and `None` returned.
    pub(super) fn take(
        self: &Arc<Self>,
        mut claimed: Claimed,
        sent: Instant,
        slot: Slot,
    ) -> Option<Arc<Held>> {
        let worker = &self.worker;
        let ttl = Duration::from_millis(u64::from(worker.settings.lease_ttl_ms));
        let attempt = Arc::new(Attempt::new(
            claimed.fence,
            sent,
            sent + usable(ttl),
            claimed.attempt_timeout_ms,
            &worker.limits,
        ));
        let held = Arc::new(Held {
            attempt: attempt.clone(),
            task: Arc::new(crate::task::task(&mut claimed)),
            resumption: crate::resumption::taken(&mut claimed),
            limited: claimed.attempt_timeout_ms.is_some(),
            known: Some((claimed.policy, claimed.retries)),
            came_back: claimed.attempt_type == AttemptType::Reclaim,
            since: OnceLock::new(),
        });
        worker.hold(&attempt);
        // Under the lock, so that the watch finds what it watches.
        let mut leases = self.leases();
        let watch = worker
            .main
            .spawn(watch_over(self.clone(), held.clone()))
            .abort_handle();
        let taken = Taken {
            held: held.clone(),
            slot: Some(slot),
            watch,
        };
        if leases.over {
            drop(leases);
            worker
                .main
                .spawn(self.clone().finish(taken, None, Fate::GivenBack));
            return None;
        }
        leases.next_turn(&self.cpu);
        leases.taken.push(taken);
        Some(held)
    }

    /// The guest ended the lease.
    pub(crate) fn recorded(&self, held: &Held) {
        let Some(mut taken) = self.remove(held) else {
            return;
        };
        self.leases().given_back = 0;
        self.close(held, taken.slot.take(), "recorded");
    }

    /// The guest wanted to end the lease and was told that it is gone.
    pub(crate) fn lost(&self, held: &Held) {
        if let Some(mut taken) = self.remove(held) {
            self.close(held, taken.slot.take(), lost_word(&held.attempt));
        }
    }

    /// The guest dropped the handle; it matters if it had not ended the lease.
    pub(crate) fn dropped(self: &Arc<Self>, held: &Held, spent: Spent) {
        let Some(taken) = self.remove(held) else {
            return;
        };
        // A lease that is gone is let go as it should be.
        let fate = if self.is_told_to_end() || held.attempt.is_stopping() {
            Fate::GivenBack
        } else if held.came_back {
            Fate::Failed(Failure::new(
                FailureClass::Transient,
                "lease_dropped",
                "the worker dropped the lease without an outcome, and it was not the first to let go of this execution",
            ))
        } else {
            let mut leases = self.leases();
            let pause = GIVE_BACK_PAUSE_MIN
                .saturating_mul(1 << leases.given_back.min(16))
                .min(GIVE_BACK_PAUSE_MAX);
            leases.given_back += 1;
            leases.not_before = leases.not_before.max(Some(Instant::now() + pause));
            Fate::GivenBack
        };
        self.worker
            .main
            .spawn(self.clone().finish(taken, Some(spent), fate));
    }

    /// The sandbox has ended: nothing is taken any more, and what it held is
    /// failed, or given back if the service was told to end. Returns how many
    /// leases that were, once all is recorded.
    pub(super) async fn end(self: &Arc<Self>, failure: &Failure, spent: Spent) -> usize {
        let taken = {
            let mut leases = self.leases();
            leases.over = true;
            std::mem::take(&mut leases.taken)
        };
        self.stop(ServiceStop::Ended);
        let charged = !self.is_told_to_end();
        let ends = taken.into_iter().map(|taken| {
            // What the guest never saw is not its failure.
            let fate = if charged && taken.held.since.get().is_some() {
                Fate::Failed(failure.clone())
            } else {
                Fate::GivenBack
            };
            self.clone().finish(taken, Some(spent), fate)
        });
        futures::future::join_all(ends).await.len()
    }

    /// Records the end of a lease that the guest does not hold any more, and
    /// frees its slot.
    async fn finish(self: Arc<Self>, mut taken: Taken, spent: Option<Spent>, fate: Fate) {
        taken.watch.abort();
        let held = &taken.held;
        let slot = taken.slot.take();
        // Leases are declared lost as well when the grace of the host is over,
        // so that guests stop.
        let is_lost = held.attempt.is_stopping() && !self.worker.is_given_up();
        if slot.is_none() || is_lost {
            self.close(held, slot, lost_word(&held.attempt));
            return;
        }
        let ending = self.ending(held, spent);
        let word = match fate {
            Fate::GivenBack => {
                recording::give_back(&self.worker, &held.attempt, &ending).await;
                "given_back".to_owned()
            }
            Fate::Failed(failure) => {
                let code = failure.code.clone();
                let ended = Ended::Failed(failure);
                recording::record(&self.worker, &held.attempt, ending, ended).await;
                code
            }
        };
        self.close(held, slot, &word);
    }

    fn ending(&self, held: &Held, spent: Option<Spent>) -> Ending {
        Ending {
            fence: held.attempt.fence,
            report: Report {
                component_id: Some(self.post.component_id),
                usage: spent.map(|spent| held.usage(&spent)),
                log: held.log_snapshot(),
            },
            known: held.known.clone(),
        }
    }

    /// Frees what a lease occupies, unless that was done when it was lost.
    fn close(&self, held: &Held, slot: Option<Slot>, word: &str) {
        if slot.is_some() {
            let wall_us = held.attempt.elapsed_ms().saturating_mul(1000);
            self.worker.counters.ended(word, wall_us);
            self.worker.let_go(held.attempt.fence.lease_id);
            drop(slot);
            self.worker.end_if_done();
        }
    }

    /// Takes the slot of a lease that is gone; the guest has yet to let go of it.
    fn take_slot(&self, held: &Held) -> Option<Slot> {
        let mut leases = self.leases();
        leases.find(held.attempt.fence)?.slot.take()
    }

    fn remove(&self, held: &Held) -> Option<Taken> {
        let mut leases = self.leases();
        let fence = held.attempt.fence;
        let at = leases
            .taken
            .iter()
            .position(|taken| taken.held.attempt.fence == fence)?;
        let taken = leases.taken.remove(at);
        leases.next_turn(&self.cpu);
        taken.watch.abort();
        Some(taken)
    }

    fn is_told_to_end(&self) -> bool {
        self.post.is_retired() || self.worker.is_draining() || self.worker.is_given_up()
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leases {
    fn next_turn(&mut self, cpu: &CpuMeter) {
        self.turn += 1;
        self.cpu_at_turn_us = cpu.used_us();
    }

    fn find(&mut self, fence: Fence) -> Option<&mut Taken> {
        self.taken
            .iter_mut()
            .find(|taken| taken.held.attempt.fence == fence)
    }
}

/// Returns what the end of a lease counts as that was lost, as it does for a
/// handler.
fn lost_word(attempt: &Attempt) -> &'static str {
    if attempt.is_cancelled() {
        "cancelled"
    } else {
        "lease_lost"
    }
}

/// Waits until a lease is gone, frees its slot, and stops the service if it
/// still holds it after the grace.
async fn watch_over(service: Arc<Service>, held: Arc<Held>) {
    let stop = held.attempt.stopped().await;
    let worker = &service.worker;
    if worker.is_given_up() {
        // The sandbox is being stopped, and what it holds given back.
        return;
    }
    let grace = Duration::from_millis(u64::from(worker.limits.cancel_grace_ms));
    let slot = service.take_slot(&held);
    match stop {
        Stop::AttemptTimeout | Stop::CpuLimit(_) => {
            // Stopping, as the guest sees it, but the lease still holds for
            // this one write.
            held.attempt.lose();
            let ended = crate::verdict::stopped(stop);
            let (service, held) = (service.clone(), held.clone());
            // Apart from the watch, which ends when the guest lets go.
            tokio::spawn(async move {
                let ending = service.ending(&held, None);
                let word = ended.word().to_owned();
                recording::record(&service.worker, &held.attempt, ending, ended).await;
                service.close(&held, slot, &word);
            });
            tokio::time::sleep(grace).await;
        }
        Stop::LeaseLost => {
            service.close(&held, slot, lost_word(&held.attempt));
            tokio::time::sleep(grace).await;
        }
        // The end is recorded, and the service lives on.
        Stop::Overstayed => return,
        // The grace has passed already.
        Stop::Cancelled => service.close(&held, slot, lost_word(&held.attempt)),
    }
    service.stop(ServiceStop::LeaseKept(held.attempt.fence.execution_id));
}
