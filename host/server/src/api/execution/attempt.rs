//! The attempts at an execution with their leases, and its history.

use model::{AttemptEnd, AttemptId, AttemptLifecycle, AttemptType, Digest, LeaseId};
use time::OffsetDateTime;
use time::serde::rfc3339;

use super::Failure;
use crate::api::answer::{answers, pages};

pages! {
    /// A page of the attempts at an execution, oldest first.
    Attempts of engine::Attempt {
        /// The attempts; the last one may continue on the next page. One with a lease that
        /// cannot be read is left out.
        attempts: Vec<Attempt>,
    }

    /// A page of what happened to an execution, oldest first.
    History of engine::HistoryEntry {
        /// What happened, in the order of time.
        history: Vec<HistoryEntry>,
    }
}

answers! {
    /// One numbered attempt at an execution.
    Attempt(row: engine::Attempt) {
        /// Id of the attempt, which follows from those of the execution and the number.
        attempt_id: AttemptId as String,
        /// Number of the attempt, from zero.
        attempt: u32,
        /// `initial`, `retry`, `reclaim`, `replay` or `fallback`.
        attempt_type: AttemptType as String,
        /// Whether it runs, is suspended or ended, and how, as of the last lease listed.
        lifecycle: AttemptLifecycle as String,
        /// The leases it ran under, in order; several if it was suspended or delayed. Only
        /// those of the page.
        leases: Vec<AttemptLease> = row.leases.into_iter().map(Into::into).collect(),
    }

    /// One lease of an attempt.
    AttemptLease(lease: engine::AttemptLease) {
        /// Generation of ownership it had.
        epoch: u64,
        /// Id of the lease.
        lease_id: LeaseId as String,
        /// Instance of the worker that held it.
        worker_instance_id: String,
        /// Time it was granted.
        #[serde(with = "rfc3339")]
        acquired_at: OffsetDateTime,
        /// Time it ended; null while it is held.
        #[serde(with = "rfc3339::option")]
        released_at: Option<OffsetDateTime>,
        /// How it ended; null while it is held.
        ended: Option<AttemptEnd> as Option<String>,
        /// Number of times it was renewed.
        renewals: u32,
        /// Digest of the component that ran; null for a native worker.
        component: Option<Digest> as Option<String>,
        /// What went wrong; null when nothing did.
        failure: Option<Failure> = lease.failure.map(Into::into),
        /// What the sandbox used; null without a sandbox.
        usage: Option<Usage> = lease.usage.map(Into::into),
        /// What the guest logged, one record per line; null when nothing was.
        log: Option<String>,
    }

    /// What an attempt used, as its host metered it.
    Usage(usage: model::Usage) {
        /// Time in guest code, in ticks of 10 ms.
        cpu_ticks: u32,
        /// Most memory held at any time, in bytes: linear memories, tables, and what the
        /// host kept for the guest.
        memory_peak_bytes: u64,
        /// Number of calls the guest made into the host.
        host_calls: u32,
        /// Bytes of log, result and requests the guest produced.
        bytes_out: u64,
        /// Time from opening the sandbox to its end, in microseconds.
        wall_us: u64,
    }

    /// One thing that happened to an execution.
    HistoryEntry(entry: engine::HistoryEntry) {
        /// Time at which it happened.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
        /// `created`, `acquired` or `reclaimed`, how a lease ended, an operator's verb, or
        /// the outcome.
        what: String,
        /// Attempt concerned, from zero; null when it concerns none.
        attempt: Option<u32>,
        /// Epoch concerned; null when it concerns none.
        epoch: Option<u64>,
        /// Worker instance concerned; null when it concerns none.
        worker_instance_id: Option<String>,
        /// Details for people; null when there are none.
        detail: Option<String>,
    }
}
