//! What happened to one execution: its attempts and its history.
//!
//! Both are read from the rows of the attempts, which last as long as the
//! execution; the event log may be shorter.

use model::{
    AttemptEnd, AttemptLifecycle, AttemptType, Digest, ExecutionId, Failure, FailureClass, LeaseId,
    Outcome, Usage,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::row::{count, epoch, label};
use crate::{Engine, Error};

/// One numbered try at an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its number, from zero.
    pub attempt: u32,
    /// Why it exists.
    pub attempt_type: AttemptType,
    /// Where it stands.
    pub lifecycle: AttemptLifecycle,
    /// The leases it ran under, in order; more than one if it was put down.
    pub leases: Vec<AttemptLease>,
}

/// One lease of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptLease {
    /// Generation of ownership.
    pub epoch: u64,
    /// This grant.
    pub lease_id: LeaseId,
    /// Who held it.
    pub worker_instance_id: String,
    /// From when.
    #[serde(with = "time::serde::rfc3339")]
    pub acquired_at: OffsetDateTime,
    /// To when; absent while it is held.
    #[serde(with = "time::serde::rfc3339::option")]
    pub released_at: Option<OffsetDateTime>,
    /// How it ended.
    pub ended: Option<AttemptEnd>,
    /// How often it was renewed.
    pub renewals: u32,
    /// Which component ran.
    pub component: Option<Digest>,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// What it used.
    pub usage: Option<Usage>,
    /// What it logged, one record per line.
    pub log: Option<String>,
}

/// One thing that happened to an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What: `created`, `acquired`, the end of a lease, an operator's verb, or the
    /// outcome.
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

impl Engine {
    /// Lists the attempts of an execution, oldest first; the running one last.
    pub async fn attempts(&self, id: ExecutionId) -> Result<Vec<Attempt>, Error> {
        let rows = sqlx::query_file!(
            "src/execution/attempts.sql",
            id.partition().column(),
            id.uuid()
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let mut attempts: Vec<Attempt> = Vec::new();
        for row in rows {
            let ended: Option<AttemptEnd> = row
                .ended
                .map(|text| label("attempt", "ended", id, &text))
                .transpose()?;
            let class = row
                .failure_class
                .map(|text| label::<FailureClass>("attempt", "failure_class", id, &text))
                .transpose()?;
            let lease = AttemptLease {
                epoch: epoch(row.epoch),
                lease_id: LeaseId(row.lease_id),
                worker_instance_id: row.worker_instance_id,
                acquired_at: row.acquired_at,
                released_at: row.released_at,
                ended,
                renewals: count(row.renewals),
                component: row
                    .digest
                    .and_then(|bytes| Some(Digest(bytes.try_into().ok()?))),
                failure: row.failure_code.map(|code| Failure {
                    class: class.unwrap_or_else(|| class_of(ended)),
                    code,
                    message: row.failure_message.unwrap_or_default(),
                    backtrace: row.backtrace,
                }),
                usage: row.wall_us.map(|wall_us| Usage {
                    wall_us: wall_us.unsigned_abs(),
                    cpu_ticks: count(row.cpu_ticks.unwrap_or(0)),
                    memory_peak_bytes: row.memory_peak_bytes.unwrap_or(0).unsigned_abs(),
                    host_calls: count(row.host_calls.unwrap_or(0)),
                    bytes_out: row.bytes_out.unwrap_or(0).unsigned_abs(),
                }),
                log: row
                    .log
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            };
            let lifecycle = ended.map_or(AttemptLifecycle::Started, AttemptEnd::lifecycle);
            let number = count(row.attempt);
            match attempts.last_mut().filter(|last| last.attempt == number) {
                Some(last) => {
                    last.lifecycle = lifecycle;
                    last.leases.push(lease);
                }
                None => attempts.push(Attempt {
                    attempt: number,
                    attempt_type: label("attempt", "attempt_type", id, &row.attempt_type)?,
                    lifecycle,
                    leases: vec![lease],
                }),
            }
        }
        Ok(attempts)
    }

    /// Lists what happened to an execution, oldest first; empty if there is none.
    pub async fn history(&self, id: ExecutionId) -> Result<Vec<HistoryEntry>, Error> {
        let Some(info) = self.get(id, None).await? else {
            return Ok(Vec::new());
        };
        let entry = |at, what: &str| HistoryEntry {
            at,
            what: what.to_owned(),
            attempt: None,
            epoch: None,
            worker_instance_id: None,
            detail: None,
        };
        let mut history = vec![HistoryEntry {
            detail: info.creator.clone(),
            ..entry(info.created_at, "created")
        }];
        for attempt in self.attempts(id).await? {
            for lease in attempt.leases {
                let about = |at, what| HistoryEntry {
                    attempt: Some(attempt.attempt),
                    epoch: Some(lease.epoch),
                    worker_instance_id: Some(lease.worker_instance_id.clone()),
                    ..entry(at, what)
                };
                let what = match attempt.attempt_type {
                    AttemptType::Reclaim => "reclaimed",
                    _ => "acquired",
                };
                history.push(about(lease.acquired_at, what));
                if let (Some(at), Some(ended)) = (lease.released_at, lease.ended) {
                    history.push(HistoryEntry {
                        detail: lease
                            .failure
                            .as_ref()
                            .map(|f| format!("{}: {}", f.code, f.message)),
                        ..about(at, ended.as_str())
                    });
                }
            }
        }
        for operation in self.operations(id).await? {
            let words = [Some(operation.actor), operation.detail, operation.reason];
            history.push(HistoryEntry {
                epoch: operation.epoch,
                detail: Some(words.into_iter().flatten().collect::<Vec<_>>().join(": ")),
                ..entry(operation.at, &operation.verb)
            });
        }
        if let Some(at) = info.finished_at {
            history.push(HistoryEntry {
                epoch: Some(info.epoch),
                detail: info.failure.map(|f| format!("{}: {}", f.code, f.message)),
                ..entry(at, info.public_state.as_str())
            });
        }
        history.sort_by_key(|entry| entry.at);
        Ok(history)
    }
}

/// Returns the class of a failure that was recorded without one.
fn class_of(ended: Option<AttemptEnd>) -> FailureClass {
    FailureClass::of_end(match ended {
        Some(AttemptEnd::Expired) => Outcome::Expired,
        _ => Outcome::Cancelled,
    })
}
