//! Schemas of executions, attempts and histories as the engine writes them.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;

/// One execution.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Execution {
    /// Its id.
    pub id: String,
    /// Where it lives.
    pub namespace: String,
    /// Which handler it needs.
    pub kind: String,
    /// Which queue it is in.
    pub lane: String,
    /// 0 to 9000; within its partition a higher one is served first.
    pub priority: u16,
    /// Flow it is a member of.
    pub flow_id: Option<String>,
    /// Who asked for it.
    pub creator: Option<String>,
    /// Key it was created under.
    pub idempotency_key: Option<String>,
    /// Labels.
    pub tags: BTreeMap<String, String>,
    /// `waiting`, `delayed`, `rate_limited`, `waiting_children`, `active`,
    /// `suspended`, `resumable`, `completed`, `failed`, `cancelled`, `expired`
    /// or `skipped`.
    pub public_state: String,
    /// The six dimensions of its state.
    pub state_vector: StateVector,
    /// What it waits for; `none` when for nothing.
    pub blocking_reason: String,
    /// More on that, for people.
    pub blocking_detail: Option<String>,
    /// When it was created.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its first attempt began.
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// When it finished.
    #[schema(format = DateTime)]
    pub finished_at: Option<String>,
    /// When it becomes due.
    #[schema(format = DateTime)]
    pub wake_at: Option<String>,
    /// When it expires.
    #[schema(format = DateTime)]
    pub deadline_at: Option<String>,
    /// Attempts begun.
    pub attempts: u32,
    /// Failures after which another attempt was made.
    pub retries: u32,
    /// Leases that ended without an outcome.
    pub reclaims: u32,
    /// How often it was replayed.
    pub replays: u32,
    /// Since when it is in its state; since it was put down, if it is parked.
    #[schema(format = DateTime)]
    pub last_mutation_at: String,
    /// Generation of ownership; grows whenever a holder loses its lease.
    pub epoch: u64,
    /// The lease it runs under.
    pub current_lease: Option<CurrentLease>,
    /// How far its handler says it is.
    pub progress: Option<Progress>,
    /// Media type of its input.
    pub input_type: String,
    /// Size of its input.
    pub input_bytes: u64,
    /// Media type of its result.
    pub result_type: Option<String>,
    /// Size of its result.
    pub result_bytes: Option<u64>,
    /// Why it ended without success.
    pub failure: Option<Failure>,
    /// On whose behalf it was ended.
    pub source: Option<String>,
    /// What it waits for while it is suspended; only in the answer to
    /// `GET /v1/executions/{id}`.
    pub suspension: Option<super::OpenSuspension>,
    /// Its suspension or those of its waitpoints that cannot be shown; absent when there
    /// are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
}

/// A page of executions, newest first.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ExecutionPage {
    /// The executions.
    pub executions: Vec<Execution>,
    /// Rows of the page that cannot be shown; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
    /// What to pass as `after` for the next page; absent on the last.
    pub next_cursor: Option<String>,
}

/// The six dimensions of a state and the word derived from them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StateVector {
    /// `runnable`, `active`, `suspended` or `terminal`.
    pub lifecycle_phase: String,
    /// Who may write.
    pub ownership_state: String,
    /// Whether a claim may take it.
    pub eligibility_state: String,
    /// What it waits for.
    pub blocking_reason: String,
    /// `success`, `failed`, `cancelled`, `expired` or `skipped`.
    pub terminal_outcome: Option<String>,
    /// Where its attempt stands.
    pub attempt_state: String,
    /// The word clients see.
    pub public_state: String,
}

/// A lease that is held.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CurrentLease {
    /// This grant.
    pub lease_id: String,
    /// Generation of ownership.
    pub epoch: u64,
    /// Who holds it.
    pub worker_instance_id: String,
    /// Attempt it runs, from zero.
    pub attempt: u32,
    /// Since when.
    #[schema(format = DateTime)]
    pub acquired_at: String,
    /// Until when, unless renewed.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// How often it was renewed.
    pub renewals: u32,
}

/// A page of leases that have lapsed, those that lapsed first coming first.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ExpiredLeases {
    /// The leases.
    pub leases: Vec<ExpiredLease>,
    /// Rows of the page that cannot be shown; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
    /// What to pass as `after` for the next page; absent on the last.
    pub next_cursor: Option<String>,
}

/// A lease that has lapsed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpiredLease {
    /// The execution it is on.
    pub execution_id: String,
    /// Where that lives.
    pub namespace: String,
    /// The lease.
    pub lease: CurrentLease,
}

/// A page of suspended executions, those that have waited longest coming first.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SuspendedExecutions {
    /// The executions.
    pub executions: Vec<SuspendedExecution>,
    /// Rows of the page that cannot be shown; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
    /// What to pass as `after` for the next page; absent on the last.
    pub next_cursor: Option<String>,
}

/// An execution that waits for a signal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendedExecution {
    /// The execution.
    pub execution_id: String,
    /// Where it lives.
    pub namespace: String,
    /// Which handler it needs.
    pub kind: String,
    /// Which queue it returns to.
    pub lane: String,
    /// What it waits for.
    pub blocking_reason: String,
    /// The code the handler gave.
    pub reason: Option<String>,
    /// Attempts begun.
    pub attempts: u32,
    /// Since when.
    #[schema(format = DateTime)]
    pub suspended_at: String,
    /// Until when at most.
    #[schema(format = DateTime)]
    pub timeout_at: Option<String>,
}

/// How far an attempt says it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// 0 to 100.
    pub percent: Option<u8>,
    /// For people.
    pub message: Option<String>,
}

/// A failure of an attempt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// `transient`, `permanent`, `infra_crash`, `timeout` or `cancelled`.
    pub class: String,
    /// A stable name for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// Where in the guest it happened, if the guest trapped.
    #[serde(default)]
    pub backtrace: Option<String>,
}

/// The attempts at an execution, oldest first.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Attempts {
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// Attempts of which a lease cannot be shown, by their numbers; absent when there are
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
}

/// One numbered try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Its number, from zero.
    pub attempt: u32,
    /// `initial`, `retry`, `reclaim`, `replay` or `fallback`.
    pub attempt_type: String,
    /// Where it stands.
    pub lifecycle: String,
    /// The leases it ran under; more than one if it was put down.
    pub leases: Vec<AttemptLease>,
}

/// One lease of an attempt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttemptLease {
    /// Generation of ownership.
    pub epoch: u64,
    /// This grant.
    pub lease_id: String,
    /// Who held it.
    pub worker_instance_id: String,
    /// From when.
    #[schema(format = DateTime)]
    pub acquired_at: String,
    /// To when; absent while it is held.
    #[schema(format = DateTime)]
    pub released_at: Option<String>,
    /// How it ended.
    pub ended: Option<String>,
    /// How often it was renewed.
    pub renewals: u32,
    /// Which component ran.
    pub component: Option<String>,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// What it used.
    pub usage: Option<Usage>,
    /// What the guest logged, one record per line.
    pub log: Option<String>,
}

/// What an attempt used up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Ticks of 10 ms spent in guest code.
    pub cpu_ticks: u32,
    /// Most memory held at once: linear memory, tables, and what the host kept for
    /// the guest.
    pub memory_peak_bytes: u64,
    /// Calls the guest made into the host.
    pub host_calls: u32,
    /// Bytes of log, result and requests the guest produced.
    pub bytes_out: u64,
    /// Time from opening the sandbox to its end, in microseconds.
    pub wall_us: u64,
}

/// What happened to an execution, oldest first.
#[derive(Debug, Deserialize, ToSchema)]
pub struct History {
    /// The entries.
    pub history: Vec<HistoryEntry>,
    /// Attempts and operations that cannot be shown, by their numbers; absent when there
    /// are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
}

/// One thing that happened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryEntry {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// What.
    pub what: String,
    /// Attempt concerned, from zero.
    pub attempt: Option<u32>,
    /// Epoch concerned.
    pub epoch: Option<u64>,
    /// Worker concerned.
    pub worker_instance_id: Option<String>,
    /// More, for people.
    pub detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{AttemptType, ExecutionId, FailureClass, LeaseId, Partition, State};
    use time::OffsetDateTime;

    fn id() -> ExecutionId {
        ExecutionId::from_parts(Partition::new(0).expect("zero"), 1, 1)
    }

    /// What the engine writes must be exactly what the schema says: no field
    /// more (`deny_unknown_fields`) and none fewer.
    fn fits<W: serde::Serialize, S: serde::de::DeserializeOwned>(written: &W) {
        let text = serde_json::to_string(written).expect("writes");
        if let Err(error) = serde_json::from_str::<S>(&text) {
            panic!("{error}: {text}");
        }
    }

    fn lease() -> engine::LeaseSummary {
        engine::LeaseSummary {
            lease_id: LeaseId(uuid::Uuid::nil()),
            epoch: 1,
            worker_instance_id: "w".into(),
            attempt: 0,
            acquired_at: OffsetDateTime::UNIX_EPOCH,
            expires_at: OffsetDateTime::UNIX_EPOCH,
            renewals: 0,
        }
    }

    fn failure() -> model::Failure {
        model::Failure::new(FailureClass::Permanent, "bad_input", "no image")
    }

    #[test]
    fn an_execution_fits_its_schema() {
        let state = State::Waiting;
        let at = OffsetDateTime::UNIX_EPOCH;
        let info = engine::ExecutionInfo {
            id: id(),
            namespace: "default".into(),
            kind: "k".into(),
            lane: "default".into(),
            priority: 0,
            flow_id: None,
            creator: None,
            idempotency_key: None,
            tags: BTreeMap::new(),
            public_state: state.public(),
            state_vector: state.vector(AttemptType::Initial, false),
            blocking_reason: state.blocking_reason(),
            blocking_detail: None,
            created_at: at,
            started_at: Some(at),
            finished_at: None,
            wake_at: None,
            deadline_at: None,
            attempts: 0,
            retries: 0,
            reclaims: 0,
            replays: 0,
            last_mutation_at: at,
            epoch: 0,
            current_lease: Some(lease()),
            progress: Some(engine::Progress {
                percent: Some(1),
                message: None,
            }),
            input_type: "text/plain".into(),
            input_bytes: 0,
            result_type: None,
            result_bytes: None,
            failure: Some(failure()),
            source: None,
        };
        fits::<_, Execution>(&info);
    }

    #[test]
    fn a_suspended_execution_fits_its_schema() {
        fits::<_, SuspendedExecution>(&engine::SuspendedExecution {
            execution_id: id(),
            namespace: "default".into(),
            kind: "k".into(),
            lane: "default".into(),
            blocking_reason: model::BlockingReason::WaitingForSignal,
            reason: None,
            attempts: 1,
            suspended_at: OffsetDateTime::UNIX_EPOCH,
            timeout_at: None,
        });
    }

    #[test]
    fn an_expired_lease_fits_its_schema() {
        fits::<_, ExpiredLease>(&engine::ExpiredLease {
            execution_id: id(),
            namespace: "default".into(),
            lease: lease(),
        });
    }

    #[test]
    fn attempts_and_histories_fit_their_schemas() {
        let at = OffsetDateTime::UNIX_EPOCH;
        fits::<_, Attempt>(&engine::Attempt {
            attempt: 0,
            attempt_type: AttemptType::Initial,
            lifecycle: model::AttemptLifecycle::Started,
            leases: vec![engine::AttemptLease {
                epoch: 1,
                lease_id: LeaseId(uuid::Uuid::nil()),
                worker_instance_id: "w".into(),
                acquired_at: at,
                released_at: None,
                ended: None,
                renewals: 0,
                component: Some(model::Digest([0; 32])),
                failure: Some(failure()),
                usage: Some(model::Usage::default()),
                log: None,
            }],
        });
        fits::<_, HistoryEntry>(&engine::HistoryEntry {
            at,
            what: "created".into(),
            attempt: None,
            epoch: None,
            worker_instance_id: None,
            detail: None,
        });
    }
}
