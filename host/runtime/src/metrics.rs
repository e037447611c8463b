//! Counters of the runtime, read by whoever exposes them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::room::Room;

/// Powers of two of microseconds: the last one is above an hour.
const BUCKETS: usize = 32;

/// What happened since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) started: AtomicU64,
    pub(crate) claims: AtomicU64,
    pub(crate) claim_faults: AtomicU64,
    pub(crate) live: AtomicU64,
    pub(crate) renewed: AtomicU64,
    pub(crate) unrecorded: AtomicU64,
    pub(crate) services: AtomicU64,
    pub(crate) service_restarts: AtomicU64,
    last_opened: Mutex<Option<Instant>>,
    ended: Mutex<BTreeMap<String, u64>>,
    wall: [AtomicU64; BUCKETS],
}

/// What happened since the start, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Metrics {
    /// Attempts begun.
    pub attempts_started: u64,
    /// Attempts ended, by `completed`, `recorded`, `lease_lost`, `cancelled`
    /// or the code of the failure. Codes beyond the first 200 count as
    /// `other`.
    pub attempts_ended: BTreeMap<String, u64>,
    /// Attempts whose outcome could not be recorded before the lease ended.
    pub outcomes_unrecorded: u64,
    /// Claims sent.
    pub claims: u64,
    /// Claims that failed.
    pub claim_faults: u64,
    /// Leases renewed.
    pub leases_renewed: u64,
    /// Sandboxes open now.
    pub sandboxes_live: u64,
    /// Most sandboxes open at once.
    pub sandboxes_max: u64,
    /// Executions and services that wait for room for their sandbox.
    pub sandboxes_waiting: u64,
    /// Sandboxes that wait for memory.
    pub sandboxes_growing: u64,
    /// Sandboxes stopped because there was no memory for them.
    pub sandboxes_refused: u64,
    /// Memory that sandboxes hold, in bytes.
    pub memory_bytes: u64,
    /// Most memory that sandboxes hold together.
    pub memory_bytes_max: u64,
    /// Most memory that closed sandboxes leave in the pool, beside that.
    pub memory_kept_bytes_max: u64,
    /// Services running now.
    pub services_running: u64,
    /// Services that ended by themselves and were started again.
    pub service_restarts: u64,
    /// Components compiled.
    pub compiles: u64,
    /// Time in the sandbox that half of the attempts stayed below, rounded up
    /// to a power of two.
    pub sandbox_wall_us_p50: u64,
    /// The same for 99 of 100.
    pub sandbox_wall_us_p99: u64,
    /// Ticks of the thread that interrupts guests.
    pub ticks: u64,
}

impl Counters {
    /// Notes that a sandbox opens for an attempt.
    pub(crate) fn opens(&self) {
        self.live.fetch_add(1, Ordering::Relaxed);
        let last = self.last_opened.lock();
        *last.unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Returns when a sandbox opened last.
    pub(crate) fn last_opened(&self) -> Option<Instant> {
        let last = self.last_opened.lock();
        *last.unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an attempt that ended so after `wall_us` in its sandbox.
    pub(crate) fn ended(&self, word: &str, wall_us: u64) {
        const WORDS_MAX: usize = 200;
        let bucket = (64 - wall_us.leading_zeros() as usize).min(BUCKETS - 1);
        self.wall[bucket].fetch_add(1, Ordering::Relaxed);
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = ended.get_mut(word) {
            *count += 1;
            return;
        }
        // Codes are the guests' to invent, so their number is bounded here.
        let word = if ended.len() < WORDS_MAX {
            word
        } else {
            "other"
        };
        *ended.entry(word.to_owned()).or_default() += 1;
    }

    /// Reads everything.
    pub(crate) fn read(&self, compiles: u64, ticks: u64, room: &Room) -> Metrics {
        let occupancy = room.occupancy();
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Metrics {
            attempts_started: get(&self.started),
            attempts_ended: self
                .ended
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            outcomes_unrecorded: get(&self.unrecorded),
            claims: get(&self.claims),
            claim_faults: get(&self.claim_faults),
            leases_renewed: get(&self.renewed),
            sandboxes_live: get(&self.live),
            sandboxes_max: occupancy.sandboxes_max,
            sandboxes_waiting: occupancy.opening,
            sandboxes_growing: occupancy.growing,
            sandboxes_refused: occupancy.refused,
            memory_bytes: occupancy.bytes,
            memory_bytes_max: occupancy.bytes_max,
            memory_kept_bytes_max: room.kept_bytes(),
            services_running: get(&self.services),
            service_restarts: get(&self.service_restarts),
            compiles,
            sandbox_wall_us_p50: self.quantile(50),
            sandbox_wall_us_p99: self.quantile(99),
            ticks,
        }
    }

    fn quantile(&self, percent: u64) -> u64 {
        let counts: Vec<u64> = self
            .wall
            .iter()
            .map(|b| b.load(Ordering::Relaxed))
            .collect();
        let rank = (counts.iter().sum::<u64>() * percent).div_ceil(100);
        let mut seen = 0;
        for (bucket, count) in counts.iter().enumerate() {
            seen += count;
            if rank > 0 && seen >= rank {
                return 1 << bucket;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SandboxLimits;
    use crate::room::{Machine, PoolSize};

    fn read(counters: &Counters, compiles: u64, ticks: u64) -> Metrics {
        let limits = SandboxLimits::default();
        let size = PoolSize::new(1, 1 << 30, &limits, &Machine::look());
        counters.read(compiles, ticks, &Room::new(&size, 1 << 30))
    }

    #[test]
    fn quantiles_are_the_power_of_two_above() {
        let counters = Counters::default();
        assert_eq!(read(&counters, 0, 0).sandbox_wall_us_p50, 0);
        for wall_us in [40, 41, 42, 5000] {
            counters.ended("completed", wall_us);
        }
        let metrics = read(&counters, 1, 2);
        assert_eq!(metrics.sandbox_wall_us_p50, 64);
        assert_eq!(metrics.sandbox_wall_us_p99, 8192);
        assert_eq!(metrics.attempts_ended["completed"], 4);
    }

    #[test]
    fn guests_cannot_grow_the_counters_without_bound() {
        let counters = Counters::default();
        for n in 0..1000 {
            counters.ended(&format!("code_{n}"), 1);
        }
        let ended = read(&counters, 0, 0).attempts_ended;
        assert_eq!(ended.len(), 201);
        assert_eq!(ended["other"], 800);
    }
}
