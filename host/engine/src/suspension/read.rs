//! What people read of waiting: waitpoints, suspensions and signals. Tokens are
//! kept nowhere, so nothing here opens anything.

use model::{
    ExecutionId, Limits, ResumeCondition, ResumePolicy, SignalEffect, SignalId,
    SuspensionCloseReason, SuspensionId, SuspensionReason, SuspensionRequester, TimeoutBehavior,
    WaitpointCloseReason, WaitpointId, WaitpointState,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::inbox::json;
use crate::checks::Payload;
use crate::listed::StoredTime;
use crate::row::{count, label};
use crate::{Engine, Error, Listed};

/// A waitpoint as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitpointInfo {
    /// The waitpoint.
    pub id: WaitpointId,
    /// Whose it is.
    pub execution_id: ExecutionId,
    /// Where that lives.
    pub namespace: String,
    /// Its key.
    pub key: String,
    /// Whether it takes signals.
    pub state: WaitpointState,
    /// The suspension that waits or waited at it last.
    pub suspension_id: Option<SuspensionId>,
    /// Name of the key that signed its token.
    pub token_kid: String,
    /// First 16 hexadecimal digits of the token's code.
    pub token_fingerprint: String,
    /// Signals it accepted.
    pub signals: u32,
    /// When the last of them came.
    pub last_signal_at: Option<OffsetDateTime>,
    /// Since when it is there.
    pub created_at: OffsetDateTime,
    /// When a suspension began to wait at it.
    pub activated_at: Option<OffsetDateTime>,
    /// Until when it waits for a suspension, if it is pending.
    pub expires_at: Option<OffsetDateTime>,
    /// Since when it takes no more signals.
    pub closed_at: Option<OffsetDateTime>,
    /// Why.
    pub close_reason: Option<WaitpointCloseReason>,
}

/// A suspension as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspensionInfo {
    /// The suspension.
    pub id: SuspensionId,
    /// Which attempt it put down.
    pub attempt: u32,
    /// Why.
    pub reason: SuspensionReason,
    /// Who asked for it.
    pub requested_by: SuspensionRequester,
    /// What it waits for.
    pub condition: ResumeCondition,
    /// What happens then.
    pub resume_policy: ResumePolicy,
    /// When it times out.
    pub timeout_at: Option<OffsetDateTime>,
    /// What happens then.
    pub timeout_behavior: TimeoutBehavior,
    /// When an operator was asked, if its time passed.
    pub escalated_at: Option<OffsetDateTime>,
    /// Bytes of the state its handler saved.
    pub state_bytes: Option<u64>,
    /// The name its handler gave it.
    pub idempotency_key: Option<String>,
    /// Since when.
    pub created_at: OffsetDateTime,
    /// Until when.
    pub closed_at: Option<OffsetDateTime>,
    /// Why it is over.
    pub close_reason: Option<SuspensionCloseReason>,
    /// The signal with which it was satisfied.
    pub closer_signal_id: Option<SignalId>,
    /// All signals that satisfied it.
    pub satisfiers: Vec<SignalId>,
}

/// A signal as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalInfo {
    /// The signal, as its receiver sees it.
    pub signal: super::ReceivedSignal,
    /// What it did.
    pub effect: SignalEffect,
    /// The key a repeat is recognised by.
    pub idempotency_key: Option<String>,
    /// Name of the key that signed the token it came with; absent for an operator's.
    pub token_kid: Option<String>,
}

impl Engine {
    /// Lists the waitpoints of an execution, oldest first; `None` if there is no
    /// such execution in the namespace.
    pub async fn waitpoints(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<Option<Listed<WaitpointInfo>>, Error> {
        if !self.exists(id, namespace).await? {
            return Ok(None);
        }
        let rows = sqlx::query_as!(
            WaitpointRow,
            r#"SELECT t.id, t.execution_id, e.namespace, t.key,
                      t.state::text AS "state_name!", t.suspension_id, t.token_kid,
                      t.token_fingerprint, t.signals, t.last_signal_at, t.created_at,
                      t.activated_at, t.expires_at, t.closed_at, t.close_reason
               FROM waitpoint t JOIN execution e ON e.partition = $1 AND e.id = $2
               WHERE t.partition = $1 AND t.execution_id = $2
               ORDER BY t.created_at, t.id"#,
            id.partition().column(),
            id.uuid(),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Listed::whole(rows.into_iter().map(WaitpointRow::read)).map(Some)
    }

    /// Lists pending waitpoints of executions that are not finished, those that
    /// expire first coming first. The next page begins after the last one's
    /// expiry and id; those that never expire come last, with no expiry.
    pub async fn pending_waitpoints(
        &self,
        namespace: Option<&str>,
        after: Option<(Option<OffsetDateTime>, WaitpointId)>,
        limit: u32,
    ) -> Result<Listed<WaitpointInfo, (Option<OffsetDateTime>, WaitpointId)>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let (after_at, after_id) = after.unzip();
        let rows = sqlx::query_as!(
            WaitpointRow,
            r#"SELECT t.id, t.execution_id, e.namespace, t.key,
                      t.state::text AS "state_name!", t.suspension_id, t.token_kid,
                      t.token_fingerprint, t.signals, t.last_signal_at, t.created_at,
                      t.activated_at, t.expires_at, t.closed_at, t.close_reason
               FROM waitpoint t
               CROSS JOIN LATERAL (
                   SELECT e.namespace FROM execution e
                   WHERE e.partition = t.partition AND e.id = t.execution_id OFFSET 0
               ) AS e
               WHERE t.state = 'pending' AND ($1::text IS NULL OR e.namespace = $1)
                 AND NOT EXISTS (SELECT FROM finished f
                                 WHERE f.partition = t.partition
                                   AND f.execution_id = t.execution_id)
                 AND ($3::uuid IS NULL
                      OR (coalesce(t.expires_at, 'infinity'), t.id)
                          > (coalesce($2::timestamptz, 'infinity'), $3))
               ORDER BY coalesce(t.expires_at, 'infinity'), t.id
               LIMIT $4"#,
            namespace,
            after_at.flatten(),
            after_id.map(|id| id.0),
            i64::from(limit) + 1,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let read = |row: WaitpointRow| ((row.expires_at, WaitpointId(row.id)), row.read());
        Listed::read(limit, rows.into_iter().map(read))
    }

    /// Lists the last suspensions of an execution, at most `limit`, which is at most
    /// [`Limits::PAGE_MAX`], oldest first; `None` if there is no such execution in the
    /// namespace.
    pub async fn suspensions(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        limit: u32,
    ) -> Result<Option<Listed<SuspensionInfo>>, Error> {
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
        Listed::whole(all).map(Some)
    }

    /// Lists signals of an execution in the order they were accepted, after one of
    /// them; at most [`Limits::SIGNALS_MAX`] and [`Limits::SIGNALS_BYTES_MAX`]. The
    /// page after one that names a next may be empty. `None` if there is no such
    /// execution in the namespace.
    pub async fn signals(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        after: Option<SignalId>,
        limit: u32,
    ) -> Result<Option<Listed<SignalInfo, SignalId>>, Error> {
        let limit = limit.min(Limits::SIGNALS_MAX);
        if !self.exists(id, namespace).await? {
            return Ok(None);
        }
        let rows = sqlx::query!(
            r#"SELECT g.id, g.waitpoint_id, t.key AS waitpoint_key, g.name, g.category,
                      g.source_type, g.source_identity, g.correlation_id, g.payload,
                      g.payload_type, g.accepted_at AS "accepted_at: StoredTime", g.effect, g.idempotency_key, g.token_kid
               FROM (
                   SELECT g.*, sum(coalesce(octet_length(g.payload), 0)) OVER (ORDER BY g.seq)
                               - coalesce(octet_length(g.payload), 0) AS before
                   FROM (SELECT g.* FROM signal g
                         WHERE g.partition = $1 AND g.execution_id = $2
                           AND g.seq > coalesce((SELECT a.seq FROM signal a
                                                 WHERE a.partition = $1 AND a.execution_id = $2
                                                   AND a.id = $3), 0)
                         ORDER BY g.seq LIMIT $4) AS g
               ) AS g
               JOIN waitpoint t
                   ON t.partition = $1 AND t.execution_id = $2 AND t.id = g.waitpoint_id
               WHERE g.before < $5
               ORDER BY g.seq"#,
            id.partition().column(),
            id.uuid(),
            after.map(|id| id.0),
            i64::from(limit),
            i64::from(Limits::SIGNALS_BYTES_MAX),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        // There may be more if it is full, or if the largest signal would not have
        // fitted any more.
        let payloads = rows.iter().filter_map(|row| row.payload.as_ref());
        let bytes: usize = payloads.map(Vec::len).sum();
        let room = (Limits::SIGNALS_BYTES_MAX as usize).saturating_sub(bytes);
        let more = rows.len() == limit as usize || room < Limits::SIGNAL_BYTES_MAX as usize;
        let read = rows.into_iter().map(|row| {
            let read = || {
                Ok(SignalInfo {
                    signal: super::ReceivedSignal {
                        id: SignalId(row.id),
                        waitpoint_id: WaitpointId(row.waitpoint_id),
                        waitpoint_key: row.waitpoint_key,
                        name: row.name,
                        category: row.category,
                        source_type: row.source_type,
                        source_identity: row.source_identity,
                        correlation_id: row.correlation_id,
                        payload: row
                            .payload
                            .zip(row.payload_type)
                            .map(|(data, content_type)| Payload::new(content_type, data)),
                        accepted_at: row.accepted_at.read("signal", "accepted_at", row.id)?,
                    },
                    effect: label("signal", "effect", row.id, &row.effect)?,
                    idempotency_key: row.idempotency_key,
                    token_kid: row.token_kid,
                })
            };
            (SignalId(row.id), read())
        });
        Listed::cut(more, read).map(Some)
    }
}

/// A row of `waitpoint` with the namespace of its execution.
struct WaitpointRow {
    id: Uuid,
    execution_id: Uuid,
    namespace: String,
    key: String,
    state_name: String,
    suspension_id: Option<Uuid>,
    token_kid: String,
    token_fingerprint: String,
    signals: i32,
    last_signal_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    activated_at: Option<OffsetDateTime>,
    expires_at: Option<OffsetDateTime>,
    closed_at: Option<OffsetDateTime>,
    close_reason: Option<String>,
}

impl WaitpointRow {
    fn read(self) -> Result<WaitpointInfo, Error> {
        Ok(WaitpointInfo {
            id: WaitpointId(self.id),
            execution_id: ExecutionId::from_uuid(self.execution_id),
            namespace: self.namespace,
            key: self.key,
            state: label("waitpoint", "state", self.id, &self.state_name)?,
            suspension_id: self.suspension_id.map(SuspensionId),
            token_kid: self.token_kid,
            token_fingerprint: self.token_fingerprint,
            signals: count(self.signals),
            last_signal_at: self.last_signal_at,
            created_at: self.created_at,
            activated_at: self.activated_at,
            expires_at: self.expires_at,
            closed_at: self.closed_at,
            close_reason: self
                .close_reason
                .map(|text| label("waitpoint", "close_reason", self.id, &text))
                .transpose()?,
        })
    }
}
