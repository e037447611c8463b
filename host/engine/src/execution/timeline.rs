//! What happened to one execution: its attempts and its history.
//!
//! Both are read from the rows of the attempts, which last as long as the
//! execution; the event log may be shorter.

use model::{
    AttemptEnd, AttemptLifecycle, AttemptType, Digest, ExecutionId, Failure, FailureClass, LeaseId,
    Outcome, Usage,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::row::StoredTime;
use crate::row::{count, epoch, label, optional_label};
use crate::{Engine, Error, Page};

/// One numbered try at an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The number of this attempt, from zero.
    pub attempt: u32,
    /// Why this attempt was made.
    pub attempt_type: AttemptType,
    /// Whether it runs or how it ended.
    pub lifecycle: AttemptLifecycle,
    /// The leases it ran under, in order; more than one if it was delayed or suspended.
    pub leases: Vec<AttemptLease>,
}

/// One lease of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptLease {
    /// Grows with every lease of the execution.
    pub epoch: u64,
    /// The id of this lease alone.
    pub lease_id: LeaseId,
    /// The worker instance that held it.
    pub worker_instance_id: String,
    /// When the worker got it.
    pub acquired_at: OffsetDateTime,
    /// When it ended; absent while it is held.
    pub released_at: Option<OffsetDateTime>,
    /// How it ended; absent while it is held.
    pub ended: Option<AttemptEnd>,
    /// How often it was renewed.
    pub renewals: u32,
    /// The component that ran; absent for other workers.
    pub component: Option<Digest>,
    /// Why it ended without success; absent otherwise.
    pub failure: Option<Failure>,
    /// What it used, where its host measured that.
    pub usage: Option<Usage>,
    /// What it logged, one record per line; absent if nothing.
    pub log: Option<String>,
}

/// One thing that happened to an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When it happened, by the database's clock.
    pub at: OffsetDateTime,
    /// What happened: `created`, `acquired`, the end of a lease, an operator's verb, or the
    /// outcome.
    pub what: String,
    /// The attempt concerned, from zero; absent if none is.
    pub attempt: Option<u32>,
    /// The epoch concerned; absent if none is.
    pub epoch: Option<u64>,
    /// The worker instance concerned; absent if none is.
    pub worker_instance_id: Option<String>,
    /// More on it, for people.
    pub detail: Option<String>,
}

impl Engine {
    /// Lists the attempts of an execution, oldest first; the running one last. One of
    /// which a lease cannot be read is listed by its number.
    pub async fn attempts(&self, id: ExecutionId) -> Result<Page<Attempt>, Error> {
        let rows = sqlx::query_file_as!(
            LeaseRow,
            "src/execution/attempts.sql",
            id.partition().column(),
            id.uuid()
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let mut attempts: Vec<(u32, Result<Attempt, Error>)> = Vec::new();
        for row in rows {
            let number = count(row.attempt);
            let lease = row.read();
            let last = attempts.last_mut().filter(|(last, _)| *last == number);
            match (last, lease) {
                (None, lease) => attempts.push((number, lease)),
                // One that cannot be read is listed once.
                (Some((_, Err(_))), _) => {}
                (Some((_, Ok(attempt))), Ok(more)) => {
                    attempt.lifecycle = more.lifecycle;
                    attempt.leases.extend(more.leases);
                }
                (Some((_, shown)), Err(error)) => *shown = Err(error),
            }
        }
        Page::whole(attempts.into_iter().map(|(_, attempt)| attempt))
    }

    /// Lists what happened to an execution, oldest first; empty if there is none.
    /// Attempts and operations that cannot be read are listed beside it.
    pub async fn history(&self, id: ExecutionId) -> Result<Page<HistoryEntry>, Error> {
        let Some(info) = self.get(id, None).await? else {
            return Ok(Page::default());
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
        let attempts = self.attempts(id).await?;
        let operations = self.operations(id).await?;
        let unreadable = [attempts.unreadable, operations.unreadable].concat();
        for attempt in attempts.rows {
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
        for operation in operations.rows {
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
        Ok(Page::of(history, unreadable))
    }
}

/// A lease of an attempt, as `attempts.sql` answers it.
struct LeaseRow {
    epoch: i64,
    attempt: i32,
    attempt_type: String,
    lease_id: Uuid,
    worker_instance_id: String,
    acquired_at: StoredTime,
    released_at: Option<StoredTime>,
    ended: Option<String>,
    renewals: i32,
    digest: Option<Vec<u8>>,
    failure_class: Option<String>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    backtrace: Option<String>,
    log: Option<Vec<u8>>,
    cpu_ticks: Option<i32>,
    memory_peak_bytes: Option<i64>,
    host_calls: Option<i32>,
    bytes_out: Option<i64>,
    wall_us: Option<i64>,
}

impl LeaseRow {
    /// Reads the lease as the only one of its attempt.
    fn read(self) -> Result<Attempt, Error> {
        let number = count(self.attempt);
        let ended: Option<AttemptEnd> =
            optional_label("attempt", "ended", number, self.ended.as_deref())?;
        let class = self.failure_class.as_deref();
        let class: Option<FailureClass> =
            optional_label("attempt", "failure_class", number, class)?;
        let lease = AttemptLease {
            epoch: epoch(self.epoch),
            lease_id: LeaseId(self.lease_id),
            worker_instance_id: self.worker_instance_id,
            acquired_at: self.acquired_at.read("attempt", "acquired_at", number)?,
            released_at: self
                .released_at
                .map(|at| at.read("attempt", "released_at", number))
                .transpose()?,
            ended,
            renewals: count(self.renewals),
            component: self
                .digest
                .map(|bytes| match bytes.try_into() {
                    Ok(bytes) => Ok(Digest(bytes)),
                    Err(_) => Err(Error::corrupt(
                        "component",
                        "digest",
                        number,
                        "not 32 bytes",
                    )),
                })
                .transpose()?,
            failure: self.failure_code.map(|code| Failure {
                class: class.unwrap_or_else(|| class_of(ended)),
                code,
                message: self.failure_message.unwrap_or_default(),
                backtrace: self.backtrace,
            }),
            usage: self.wall_us.map(|wall_us| Usage {
                wall_us: wall_us.unsigned_abs(),
                cpu_ticks: count(self.cpu_ticks.unwrap_or(0)),
                memory_peak_bytes: self.memory_peak_bytes.unwrap_or(0).unsigned_abs(),
                host_calls: count(self.host_calls.unwrap_or(0)),
                bytes_out: self.bytes_out.unwrap_or(0).unsigned_abs(),
            }),
            log: self
                .log
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        };
        Ok(Attempt {
            attempt: number,
            attempt_type: label("attempt", "attempt_type", number, &self.attempt_type)?,
            lifecycle: ended.map_or(AttemptLifecycle::Started, AttemptEnd::lifecycle),
            leases: vec![lease],
        })
    }
}

/// Returns the class of a failure that was recorded without one.
fn class_of(ended: Option<AttemptEnd>) -> FailureClass {
    FailureClass::of_end(match ended {
        Some(AttemptEnd::Expired) => Outcome::Expired,
        _ => Outcome::Cancelled,
    })
}
