//! One attempt as the worker, the keeper and the sandbox share it: how long it
//! may run, whether it must stop, what it logged and what it computed.
//!
//! Times are taken on the local monotonic clock and count from when the claim
//! was *sent*, so that a lease never looks longer here than in the database.
//!
//! The log is recorded with the end of the attempt. Of an attempt that runs for longer,
//! what it has written so far is made visible before (`worker/live_log.rs`).

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::{Fence, LeaseRefusal, Outcome};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{AttemptLog, CpuMeter, Stop};
use crate::settings::SandboxLimits;

const RUNNING: u8 = 0;
const CANCELLED: u8 = 1;
const LOST: u8 = 2;

/// One attempt, as its guest, the keeper and the worker share it.
#[derive(Debug)]
pub struct Attempt {
    /// The lease it runs under.
    pub fence: Fence,
    began: Instant,
    lease_until_us: AtomicU64,
    attempt_until_us: u64,
    flag: AtomicU8,
    stop_at_us: AtomicU64,
    cancel_grace_us: u64,
    outcome_grace_us: u64,
    changed: Notify,
    recorded: AtomicBool,
    pub(crate) cpu: CpuMeter,
    log: Mutex<AttemptLog>,
    /// No more of the log is made visible before this; never, at the largest value.
    show_log_at_us: AtomicU64,
}

/// How often the log of a running attempt is made visible, at most.
const SHOW_LOG_EVERY: Duration = Duration::from_millis(500);

impl Attempt {
    /// Begins an attempt whose claim was sent at `claim_sent` and granted a lease of
    /// `lease_ttl`.
    ///
    /// `attempt_timeout_ms` counts from now and is capped by the limits.
    pub fn new(
        fence: Fence,
        claim_sent: Instant,
        lease_ttl: Duration,
        attempt_timeout_ms: Option<u64>,
        limits: &SandboxLimits,
    ) -> Self {
        let cap = u64::from(limits.attempt_ms_max);
        let attempt_ms = attempt_timeout_ms.map_or(cap, |ms| ms.min(cap));
        let now_us = micros(claim_sent.elapsed());
        Self {
            fence,
            began: claim_sent,
            lease_until_us: AtomicU64::new(micros(usable(lease_ttl))),
            attempt_until_us: now_us.saturating_add(attempt_ms.saturating_mul(1000)),
            flag: AtomicU8::new(RUNNING),
            stop_at_us: AtomicU64::new(u64::MAX),
            cancel_grace_us: u64::from(limits.cancel_grace_ms) * 1000,
            outcome_grace_us: u64::from(limits.outcome_grace_ms) * 1000,
            changed: Notify::new(),
            recorded: AtomicBool::new(false),
            cpu: CpuMeter::new(claim_sent),
            log: Mutex::new(AttemptLog::new(
                limits.log_bytes_max,
                limits.log_records_max,
            )),
            show_log_at_us: AtomicU64::new(now_us + micros(SHOW_LOG_EVERY)),
        }
    }

    /// Moves the end of the lease after a renewal sent at `sent`.
    pub fn renewed(&self, sent: Instant, ttl: Duration) {
        let until = micros((sent + usable(ttl)).duration_since(self.began));
        self.lease_until_us.fetch_max(until, Ordering::Relaxed);
    }

    /// Has the guest stopped within a tick, because the lease does not hold any more.
    pub fn lose(&self) {
        if self.flag.fetch_max(LOST, Ordering::Relaxed) != LOST {
            self.changed.notify_one();
        }
    }

    /// Tells the guest that its execution was cancelled and has it stopped
    /// after the grace.
    pub fn cancel(&self) {
        let stop_at = self.now_us().saturating_add(self.cancel_grace_us);
        self.stop_at_us.fetch_min(stop_at, Ordering::Relaxed);
        if self.flag.fetch_max(CANCELLED, Ordering::Relaxed) == RUNNING {
            self.changed.notify_one();
        }
    }

    /// Acts on a refusal of a write under the lease: a cancelled execution
    /// leaves its guest a grace, any other loss does not.
    pub(crate) fn refused(&self, refusal: &LeaseRefusal) {
        match refusal {
            LeaseRefusal::Invalid(_) => {}
            LeaseRefusal::ExecutionNotActive {
                outcome: Some(Outcome::Cancelled),
                ..
            } => self.cancel(),
            _ => self.lose(),
        }
    }

    /// Whether the guest was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.flag.load(Ordering::Relaxed) != RUNNING
    }

    /// Whether the execution was cancelled, rather than the lease lost.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::Relaxed) == CANCELLED
    }

    /// Notes that the guest recorded the outcome itself, so that the missing lease is not
    /// taken for lost, and has a handler stopped after the grace.
    pub fn record(&self) {
        let stop_at = self.now_us().saturating_add(self.outcome_grace_us);
        self.stop_at_us.fetch_min(stop_at, Ordering::Relaxed);
        self.recorded.store(true, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Whether the guest recorded the outcome itself.
    pub fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Relaxed)
    }

    /// Returns when the lease ends as it stands now.
    pub fn lease_until(&self) -> Instant {
        self.began + Duration::from_micros(self.lease_until_us.load(Ordering::Relaxed))
    }

    /// Returns the milliseconds since the claim was sent.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    /// Returns the milliseconds left to the guest; `limited` says whether the
    /// attempt has a time limit of its own.
    pub(crate) fn remaining_ms(&self, limited: bool) -> u64 {
        if self.flag.load(Ordering::Relaxed) == LOST {
            return 0;
        }
        let lease = self.lease_until_us.load(Ordering::Relaxed);
        let until = if limited {
            self.attempt_until_us
        } else {
            lease.min(self.attempt_until_us)
        };
        until.saturating_sub(self.now_us()) / 1000
    }

    /// Returns why the guest must stop now, if it must.
    pub(crate) fn due(&self) -> Option<Stop> {
        let now = self.now_us();
        if self.flag.load(Ordering::Relaxed) == LOST {
            Some(Stop::LeaseLost)
        } else if now >= self.stop_at_us.load(Ordering::Relaxed) {
            Some(if self.is_recorded() {
                Stop::GraceExpired
            } else {
                Stop::Cancelled
            })
        } else if now >= self.lease_until_us.load(Ordering::Relaxed) && !self.is_recorded() {
            Some(Stop::LeaseLost)
        } else if now >= self.attempt_until_us {
            Some(Stop::AttemptTimeout)
        } else {
            None
        }
    }

    /// Waits until the guest must stop, and says why.
    ///
    /// For a guest that waits in the host, where no epoch interrupts it.
    pub(crate) async fn stopped(&self) -> Stop {
        loop {
            if let Some(stop) = self.due() {
                return stop;
            }
            let lease = if self.is_recorded() {
                u64::MAX
            } else {
                self.lease_until_us.load(Ordering::Relaxed)
            };
            let next = lease
                .min(self.attempt_until_us)
                .min(self.stop_at_us.load(Ordering::Relaxed));
            let at = tokio::time::Instant::from_std(self.began + Duration::from_micros(next));
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep_until(at) => {}
            }
        }
    }

    /// Gives access to the log, with the present time in it.
    pub(crate) fn with_log<T>(&self, f: impl FnOnce(&mut AttemptLog, u64) -> T) -> T {
        let at_ms = self.elapsed_ms();
        f(&mut self.log.lock(), at_ms)
    }

    /// Returns the next piece of the log, at most `bytes_max` bytes, that readers of a
    /// running attempt cannot see yet, and where it begins; `None` if there is none, or if
    /// it is too early for the next one.
    pub(crate) fn log_to_show(&self, bytes_max: usize) -> Option<(u64, Vec<u8>)> {
        if self.now_us() < self.show_log_at_us.load(Ordering::Relaxed) {
            return None;
        }
        let log = self.log.lock();
        let (from, piece) = log.unshown(bytes_max)?;
        Some((from, piece.to_vec()))
    }

    /// Whether [`Self::log_to_show`] would return a piece.
    pub(crate) fn has_log_to_show(&self) -> bool {
        self.now_us() >= self.show_log_at_us.load(Ordering::Relaxed)
            && self.log.lock().unshown(usize::MAX).is_some()
    }

    /// Notes that readers see the log up to `end`, or, with `None`, that they could not be
    /// shown more. The next piece is due after the pause.
    pub(crate) fn log_shown(&self, end: Option<u64>) {
        let at = self.now_us() + micros(SHOW_LOG_EVERY);
        self.show_log_at_us.fetch_max(at, Ordering::Relaxed);
        if let Some(end) = end {
            self.log.lock().shown(end);
        }
    }

    /// Has no more of the log made visible.
    pub(crate) fn hide_log(&self) {
        self.show_log_at_us.store(u64::MAX, Ordering::Relaxed);
    }

    fn now_us(&self) -> u64 {
        micros(self.began.elapsed())
    }
}

/// Returns how much of a lease's TTL is used: what is left at the end makes
/// up for the time the answer to a claim or renewal took to be acted upon.
fn usable(ttl: Duration) -> Duration {
    let margin = (ttl / 10).clamp(Duration::from_millis(100), Duration::from_secs(2));
    ttl.saturating_sub(margin)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::LogSource;
    use model::{ExecutionId, LeaseId, Partition};

    fn attempt(lease_ms: u64, timeout_ms: Option<u64>) -> Attempt {
        attempt_within(lease_ms, timeout_ms, &SandboxLimits::default())
    }

    fn attempt_within(lease_ms: u64, timeout_ms: Option<u64>, limits: &SandboxLimits) -> Attempt {
        let now = Instant::now();
        Attempt::new(
            Fence {
                execution_id: ExecutionId::from_parts(Partition::new(0).unwrap(), 1, 1),
                lease_id: LeaseId(uuid::Uuid::nil()),
                epoch: 1,
                attempt: 0,
            },
            now,
            Duration::from_millis(lease_ms),
            timeout_ms,
            limits,
        )
    }

    #[test]
    fn a_lost_lease_stops_immediately_and_a_cancellation_after_its_grace() {
        let cancelled = attempt(60_000, None);
        cancelled.cancel();
        assert!(cancelled.is_stopping());
        assert_eq!(cancelled.due(), None);
        cancelled.lose();
        assert_eq!(cancelled.due(), Some(Stop::LeaseLost));
        assert_eq!(cancelled.remaining_ms(false), 0);
    }

    #[test]
    fn an_expired_lease_stops_the_guest_unless_it_recorded_its_end() {
        let attempt = attempt(0, None);
        assert_eq!(attempt.due(), Some(Stop::LeaseLost));
        attempt.record();
        assert_eq!(attempt.due(), None);
    }

    #[test]
    fn a_recorded_end_stops_the_guest_after_its_grace() {
        let limits = SandboxLimits {
            outcome_grace_ms: 0,
            ..SandboxLimits::default()
        };
        let attempt = attempt_within(60_000, None, &limits);
        assert_eq!(attempt.due(), None);
        attempt.record();
        assert_eq!(attempt.due(), Some(Stop::GraceExpired));
    }

    #[test]
    fn the_log_of_a_short_attempt_is_never_shown() {
        let attempt = attempt(60_000, None);
        attempt.with_log(|log, at_ms| log.record(at_ms, LogSource::Stdout, b"x"));
        assert!(!attempt.has_log_to_show());
        attempt.show_log_at_us.store(0, Ordering::Relaxed);
        let (from, piece) = attempt.log_to_show(1 << 10).expect("a line");
        assert!(attempt.has_log_to_show() && from == 0);
        attempt.log_shown(Some(piece.len() as u64));
        assert!(!attempt.has_log_to_show());
        attempt.with_log(|log, at_ms| log.record(at_ms, LogSource::Stdout, b"y"));
        assert!(!attempt.has_log_to_show(), "the pause is kept");
        attempt.hide_log();
        attempt.log_shown(None);
        assert_eq!(attempt.log_to_show(1 << 10), None);
    }

    #[test]
    fn a_renewal_moves_the_end_and_never_back() {
        let attempt = attempt(0, Some(50_000));
        attempt.renewed(Instant::now(), Duration::from_secs(30));
        assert_eq!(attempt.due(), None);
        let until = attempt.lease_until();
        attempt.renewed(Instant::now(), Duration::from_secs(1));
        assert_eq!(attempt.lease_until(), until);
        assert!(attempt.remaining_ms(true) > 40_000);
    }

    #[test]
    fn part_of_every_lease_is_left_unused() {
        let usable_ms = |ms| usable(Duration::from_millis(ms)).as_millis();
        assert_eq!(usable_ms(30_000), 28_000);
        assert_eq!(usable_ms(10_000), 9_000);
        assert_eq!(usable_ms(1_000), 900);
    }
}
