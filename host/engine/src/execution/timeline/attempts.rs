//! attempts: the numbered tries at an execution, each with the leases it ran under.

use model::{
    AttemptEnd, AttemptId, AttemptLifecycle, AttemptType, Digest, ExecutionId, Failure,
    FailureClass, LeaseId, Limits, Outcome, Usage,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::row::{StoredTime, bigint, count, epoch, label, optional_label, optional_time};
use crate::{Engine, Error, Page};

/// One numbered try at an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The id of this attempt among those of all executions.
    pub attempt_id: AttemptId,
    /// The number of this attempt, from zero.
    pub attempt: u32,
    /// Why this attempt was made.
    pub attempt_type: AttemptType,
    /// Whether it runs or how it ended, as of the last of the leases listed.
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

impl Engine {
    /// Lists attempts of an execution, oldest first, after the lease of an epoch; the
    /// running one last. `None` if the namespace has no such execution.
    ///
    /// A page has at most `limit` leases, which is at most [`Limits::PAGE_MAX`], and
    /// [`Limits::ATTEMPTS_BYTES_MAX`]. An attempt with more leases continues on the next
    /// page. One of which a lease cannot be read is listed by its number.
    pub async fn attempts(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Option<Page<Attempt, u64>>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let mut rows = sqlx::query_file_as!(
            LeaseRow,
            "src/execution/timeline/attempts.sql",
            id.partition().column(),
            id.uuid(),
            bigint(after.unwrap_or(0)),
            i64::from(limit) + 1,
            i64::from(Limits::ATTEMPTS_BYTES_MAX),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let found = rows.first().map_or(0, |row| row.found);
        rows.truncate(limit as usize);
        let more = found > rows.len() as i64;
        let mut attempts: Vec<Numbered> = Vec::new();
        for row in rows {
            let (number, place) = (count(row.attempt), epoch(row.epoch));
            let lease = row.read(id);
            match attempts.last_mut().filter(|last| last.number == number) {
                Some(last) => last.extend(place, lease),
                None => attempts.push(Numbered {
                    number,
                    place,
                    read: lease,
                }),
            }
        }
        let attempts = attempts.into_iter().map(|it| (it.place, it.read));
        self.of_execution(id, namespace, Page::cut(more, attempts)?)
            .await
    }
}

/// An attempt, or why it cannot be shown.
struct Numbered {
    number: u32,
    /// Epoch of its last lease so far.
    place: u64,
    read: Result<Attempt, Error>,
}

impl Numbered {
    /// Adds the lease after those it has. An attempt that cannot be read is listed once.
    fn extend(&mut self, place: u64, lease: Result<Attempt, Error>) {
        self.place = place;
        match (&mut self.read, lease) {
            (Err(_), _) => {}
            (Ok(attempt), Ok(more)) => {
                attempt.lifecycle = more.lifecycle;
                attempt.leases.extend(more.leases);
            }
            (shown, Err(error)) => *shown = Err(error),
        }
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
    found: i64,
}

impl LeaseRow {
    /// Reads the lease as the only one of its attempt.
    fn read(self, id: ExecutionId) -> Result<Attempt, Error> {
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
            released_at: optional_time("attempt", "released_at", number, self.released_at)?,
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
            attempt_id: AttemptId::of(id, number),
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
