//! What people read of suspensions.

use model::{
    ExecutionId, Limits, ResumeCondition, ResumePolicy, SignalId, SuspensionCloseReason,
    SuspensionId, SuspensionReason, SuspensionRequester, TimeoutBehavior,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::row::{StoredTime, bigint, count, label, optional_label, optional_time};
use crate::waitpoint::json;
use crate::{Engine, Error, Page};

/// A suspension as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspensionInfo {
    /// Id of the suspension.
    pub id: SuspensionId,
    /// Number of the attempt that suspended, from 0.
    pub attempt: u32,
    /// Why the execution waits.
    pub reason: SuspensionReason,
    /// Who asked the holder to suspend.
    pub requested_by: SuspensionRequester,
    /// Which signals satisfy it.
    pub condition: ResumeCondition,
    /// What happens to the execution, its signals and waitpoints when it resumes.
    pub resume_policy: ResumePolicy,
    /// When it times out; absent if nothing limits it.
    pub timeout_at: Option<OffsetDateTime>,
    /// What happens when it times out.
    pub timeout_behavior: TimeoutBehavior,
    /// When it timed out and an operator was asked; absent if that has not happened.
    pub escalated_at: Option<OffsetDateTime>,
    /// Bytes of the state its handler saved; absent if it saved none.
    pub state_bytes: Option<u64>,
    /// The idempotency key its handler gave it; absent if none.
    pub idempotency_key: Option<String>,
    /// When it began, by the database's clock.
    pub created_at: OffsetDateTime,
    /// When it ended; absent while it is open.
    pub closed_at: Option<OffsetDateTime>,
    /// Why it ended; absent while it is open.
    pub close_reason: Option<SuspensionCloseReason>,
    /// The last of the signals that satisfied it; absent if none did.
    pub closer_signal_id: Option<SignalId>,
    /// The signals that satisfied it, in the order they were accepted.
    pub satisfiers: Vec<SignalId>,
}

impl Engine {
    /// Lists suspensions of an execution, oldest first, after the suspension of a number;
    /// at most `limit`, which is at most [`Limits::PAGE_MAX`], and
    /// [`Limits::SUSPENSIONS_BYTES_MAX`] before the last of them. `None` if the namespace
    /// has no such execution.
    pub async fn suspensions(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Option<Page<SuspensionInfo, u64>>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let mut rows = sqlx::query_file_as!(
            SuspensionRow,
            "src/suspension/read.sql",
            id.partition().column(),
            id.uuid(),
            bigint(after.unwrap_or(0)),
            i64::from(limit) + 1,
            i64::from(Limits::SUSPENSIONS_BYTES_MAX),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let found = rows.first().map_or(0, |row| row.found);
        rows.truncate(limit as usize);
        let more = found > rows.len() as i64;
        let read = rows
            .into_iter()
            .map(|row| (row.seq.unsigned_abs(), row.read()));
        self.of_execution(id, namespace, Page::cut(more, read)?)
            .await
    }

    /// Reads the open suspension of an execution; `None` if it has none.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when its row cannot be read.
    pub async fn open_suspension(&self, id: ExecutionId) -> Result<Option<SuspensionInfo>, Error> {
        let row = sqlx::query_as!(
            SuspensionRow,
            r#"SELECT s.seq, s.id, s.attempt, s.reason, s.requested_by, s.condition,
                      s.resume_policy, s.timeout_at AS "timeout_at: StoredTime",
                      s.timeout_behavior, s.escalated_at, octet_length(s.state) AS state_bytes,
                      s.idempotency_key, s.created_at, s.closed_at, s.close_reason, s.satisfiers,
                      1::bigint AS "found!"
               FROM suspension s
               WHERE s.partition = $1 AND s.execution_id = $2 AND s.closed_at IS NULL"#,
            id.partition().column(),
            id.uuid(),
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        row.map(SuspensionRow::read).transpose()
    }
}

/// A row of `suspension`, and how many were found with it.
struct SuspensionRow {
    seq: i64,
    id: Uuid,
    attempt: i32,
    reason: String,
    requested_by: String,
    condition: String,
    resume_policy: Option<String>,
    timeout_at: Option<StoredTime>,
    timeout_behavior: String,
    escalated_at: Option<OffsetDateTime>,
    state_bytes: Option<i32>,
    idempotency_key: Option<String>,
    created_at: OffsetDateTime,
    closed_at: Option<OffsetDateTime>,
    close_reason: Option<String>,
    satisfiers: Option<Vec<Uuid>>,
    found: i64,
}

impl SuspensionRow {
    fn read(self) -> Result<SuspensionInfo, Error> {
        let of = self.id;
        let satisfiers = self.satisfiers.unwrap_or_default();
        let behavior = &self.timeout_behavior;
        Ok(SuspensionInfo {
            id: SuspensionId(of),
            attempt: count(self.attempt),
            reason: label("suspension", "reason", of, &self.reason)?,
            requested_by: label("suspension", "requested_by", of, &self.requested_by)?,
            condition: json("condition", of, &self.condition)?,
            resume_policy: match &self.resume_policy {
                Some(text) => json("resume_policy", of, text)?,
                None => ResumePolicy::default(),
            },
            timeout_at: optional_time("suspension", "timeout_at", of, self.timeout_at)?,
            timeout_behavior: label("suspension", "timeout_behavior", of, behavior)?,
            escalated_at: self.escalated_at,
            state_bytes: self.state_bytes.map(|bytes| u64::from(count(bytes))),
            idempotency_key: self.idempotency_key,
            created_at: self.created_at,
            closed_at: self.closed_at,
            close_reason: optional_label("suspension", "close_reason", of, self.close_reason)?,
            closer_signal_id: satisfiers.last().copied().map(SignalId),
            satisfiers: satisfiers.into_iter().map(SignalId).collect(),
        })
    }
}
