//! What people read of suspensions.

use model::{
    ExecutionId, Limits, ResumeCondition, ResumePolicy, SignalId, SuspensionCloseReason,
    SuspensionId, SuspensionReason, SuspensionRequester, TimeoutBehavior,
};
use time::OffsetDateTime;

use crate::row::StoredTime;
use crate::row::{count, label};
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
    /// Lists the last suspensions of an execution, at most `limit`, which is at most
    /// [`Limits::PAGE_MAX`], oldest first; `None` if there is no such execution in the
    /// namespace.
    pub async fn suspensions(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        limit: u32,
    ) -> Result<Option<Page<SuspensionInfo>>, Error> {
        if !self.exists(id, namespace).await? {
            return Ok(None);
        }
        let rows = sqlx::query!(
            r#"SELECT s.id, s.attempt, s.reason, s.requested_by, s.condition, s.resume_policy,
                      s.timeout_at AS "timeout_at: StoredTime", s.timeout_behavior, s.escalated_at,
                      octet_length(s.state) AS state_bytes, s.idempotency_key, s.created_at,
                      s.closed_at, s.close_reason, s.satisfiers
               FROM suspension s
               WHERE s.partition = $1 AND s.execution_id = $2
               ORDER BY s.seq DESC LIMIT $3"#,
            id.partition().column(),
            id.uuid(),
            i64::from(limit.min(Limits::PAGE_MAX)),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let all = rows.into_iter().rev().map(|row| {
            let of = row.id;
            let satisfiers = row.satisfiers.unwrap_or_default();
            Ok(SuspensionInfo {
                id: SuspensionId(of),
                attempt: count(row.attempt),
                reason: label("suspension", "reason", of, &row.reason)?,
                requested_by: label("suspension", "requested_by", of, &row.requested_by)?,
                condition: json("condition", of, &row.condition)?,
                resume_policy: match &row.resume_policy {
                    Some(text) => json("resume_policy", of, text)?,
                    None => ResumePolicy::default(),
                },
                timeout_at: row
                    .timeout_at
                    .map(|at| at.read("suspension", "timeout_at", of))
                    .transpose()?,
                timeout_behavior: label(
                    "suspension",
                    "timeout_behavior",
                    of,
                    &row.timeout_behavior,
                )?,
                escalated_at: row.escalated_at,
                state_bytes: row.state_bytes.map(|bytes| u64::from(count(bytes))),
                idempotency_key: row.idempotency_key,
                created_at: row.created_at,
                closed_at: row.closed_at,
                close_reason: row
                    .close_reason
                    .map(|text| label("suspension", "close_reason", of, &text))
                    .transpose()?,
                closer_signal_id: satisfiers.last().copied().map(SignalId),
                satisfiers: satisfiers.into_iter().map(SignalId).collect(),
            })
        });
        Page::whole(all).map(Some)
    }
}
