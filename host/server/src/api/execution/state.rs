//! An execution and the state it is in.

use std::collections::BTreeMap;

use model::{
    AttemptId, AttemptState, BlockingReason, EligibilityState, ExecutionId, FailureClass, FlowId,
    LeaseId, LifecyclePhase, Outcome, OwnershipState, PublicState,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use crate::api::answer::answers;
use crate::api::{OpenSuspension, Unreadable};

/// The attempt of an execution that began last.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct CurrentAttempt {
    /// Id of the attempt: that of the execution as a version 8 UUID, its last 32 bits
    /// combined with `attempt_index` by exclusive or.
    #[schema(value_type = String)]
    pub attempt_id: AttemptId,
    /// Number of the attempt, from zero.
    pub attempt_index: u32,
}

impl CurrentAttempt {
    fn of(execution: ExecutionId, attempts: u32) -> Option<Self> {
        let attempt_index = attempts.checked_sub(1)?;
        Some(Self {
            attempt_id: AttemptId::of(execution, attempt_index),
            attempt_index,
        })
    }
}

answers! {
    /// An execution and its state.
    Execution(info: engine::ExecutionInfo) {
        /// Id of the execution.
        id: ExecutionId as String,
        /// Namespace it belongs to.
        namespace: String,
        /// Kind, which names the handler it needs.
        kind: String,
        /// Lane it is queued in.
        lane: String,
        /// 0 to 9000; within its partition a higher one is served first.
        priority: u16,
        /// Flow it is a member of; null when it is in none.
        flow_id: Option<FlowId> as Option<String>,
        /// Who created it, as the creator said; null when that was not said.
        creator: Option<String>,
        /// Idempotency key it was created under; null without one.
        idempotency_key: Option<String>,
        /// Labels, `owner.name` to value.
        tags: BTreeMap<String, String>,
        /// `waiting`, `delayed`, `rate_limited`, `waiting_children`, `active`,
        /// `suspended`, `resumable`, `completed`, `failed`, `cancelled`, `expired`
        /// or `skipped`.
        public_state: PublicState as String,
        /// The six dimensions of its state.
        state_vector: StateVector = info.state_vector.into(),
        /// What it waits for; `none` when for nothing.
        blocking_reason: BlockingReason as String,
        /// What it waits for, in words for people; null when nothing was said.
        blocking_detail: Option<String>,
        /// Time of its creation.
        #[serde(with = "rfc3339")]
        created_at: OffsetDateTime,
        /// Time its first attempt began; null before.
        #[serde(with = "rfc3339::option")]
        started_at: Option<OffsetDateTime>,
        /// Time it finished; null before.
        #[serde(with = "rfc3339::option")]
        finished_at: Option<OffsetDateTime>,
        /// Time it becomes due or times out, if it is delayed or suspended; else null.
        #[serde(with = "rfc3339::option")]
        wake_at: Option<OffsetDateTime>,
        /// Time it expires unless it finishes before; null without a deadline.
        #[serde(with = "rfc3339::option")]
        deadline_at: Option<OffsetDateTime>,
        /// Number of attempts that began.
        attempts: u32,
        /// The attempt that began last; null before the first.
        current_attempt: Option<CurrentAttempt> = CurrentAttempt::of(info.id, info.attempts),
        /// Number of failures after which another attempt was made.
        retries: u32,
        /// Number of leases that ended without an outcome.
        reclaims: u32,
        /// Number of times it was replayed.
        replays: u32,
        /// Time it entered its state.
        #[serde(with = "rfc3339")]
        last_mutation_at: OffsetDateTime,
        /// Generation of ownership; grows whenever a holder loses its lease.
        epoch: u64,
        /// The lease it runs under; null when it does not run.
        current_lease: Option<CurrentLease> = info.current_lease.map(Into::into),
        /// Progress its handler reported; null when it reported none.
        progress: Option<Progress> = info.progress.map(Into::into),
        /// Media type of its input.
        input_type: String,
        /// Size of its input in bytes.
        input_bytes: u64,
        /// Media type of its result; null without a result.
        result_type: Option<String>,
        /// Size of its result in bytes; null without a result.
        result_bytes: Option<u64>,
        /// Why it ended without success; null when it did not.
        failure: Option<Failure> = info.failure.map(Into::into),
        /// On whose behalf it was ended; null when it ended by itself.
        source: Option<String>,
        /// The condition and the waitpoints it waits at while it is suspended; only in
        /// the answer to `GET /v1/executions/{id}`.
        suspension?: Option<OpenSuspension> = None,
        /// Its suspension or waitpoints that this version cannot read; absent when there
        /// are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unreadable: Vec<Unreadable> = Vec::new(),
    }

    /// The six dimensions of a state, and the public state derived from them.
    StateVector(vector: model::StateVector) {
        /// `runnable`, `active`, `suspended` or `terminal`.
        lifecycle_phase: LifecyclePhase as String,
        /// Whether a lease is held, and by whom.
        ownership_state: OwnershipState as String,
        /// Whether a claim may take it.
        eligibility_state: EligibilityState as String,
        /// What it waits for; `none` when for nothing.
        blocking_reason: BlockingReason as String,
        /// `success`, `failed`, `cancelled`, `expired` or `skipped`; null before the end.
        terminal_outcome: Option<Outcome> as Option<String>,
        /// State of its current or last attempt.
        attempt_state: AttemptState as String,
        /// The state that clients filter by and show.
        public_state: PublicState as String,
    }

    /// A lease that is held.
    CurrentLease(lease: engine::LeaseSummary) {
        /// Id of the lease.
        lease_id: LeaseId as String,
        /// Generation of ownership it has.
        epoch: u64,
        /// Instance of the worker that holds it.
        worker_instance_id: String,
        /// Number of the attempt that runs under it, from zero.
        attempt: u32,
        /// Time it was granted.
        #[serde(with = "rfc3339")]
        acquired_at: OffsetDateTime,
        /// Time it ends unless it is renewed.
        #[serde(with = "rfc3339")]
        expires_at: OffsetDateTime,
        /// Number of times it was renewed.
        renewals: u32,
        /// Time it was last renewed; null before the first renewal.
        #[serde(with = "rfc3339::option")]
        last_heartbeat_at: Option<OffsetDateTime>,
    }

    /// The progress an attempt reported last.
    Progress(progress: engine::Progress) {
        /// 0 to 100; null when it was not reported.
        percent: Option<u8>,
        /// A sentence for people; null when none was reported.
        message: Option<String>,
    }

    /// The failure of an attempt.
    Failure(failure: model::Failure) {
        /// `transient`, `permanent`, `infra_crash`, `timeout` or `cancelled`.
        class: FailureClass as String,
        /// A stable name for programs.
        code: String,
        /// A sentence for people.
        message: String,
        /// Stack of the guest, if it trapped; absent otherwise.
        backtrace?: Option<String>,
    }
}
