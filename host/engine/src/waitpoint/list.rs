//! What people read of waitpoints. Tokens are stored nowhere, so nothing here opens
//! anything.

use model::{ExecutionId, Limits, SuspensionId, WaitpointCloseReason, WaitpointId, WaitpointState};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::row::{count, label};
use crate::{Engine, Error, Page};

/// A waitpoint as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitpointInfo {
    /// Id of the waitpoint.
    pub id: WaitpointId,
    /// The execution it belongs to.
    pub execution_id: ExecutionId,
    /// Namespace of the execution.
    pub namespace: String,
    /// Its key within the execution.
    pub key: String,
    /// Whether it takes signals.
    pub state: WaitpointState,
    /// The suspension that waits at it or waited last; absent if none has.
    pub suspension_id: Option<SuspensionId>,
    /// Id of the key that signed its first token.
    pub token_kid: String,
    /// First 16 hexadecimal digits of the MAC of that token.
    pub token_fingerprint: String,
    /// How many signals it has accepted.
    pub signals: u32,
    /// When it accepted the last of them; absent if it has accepted none.
    pub last_signal_at: Option<OffsetDateTime>,
    /// When it was created, by the database's clock.
    pub created_at: OffsetDateTime,
    /// When a suspension last began to wait at it; absent if none has.
    pub activated_at: Option<OffsetDateTime>,
    /// Until when it waits for a suspension while it is pending; absent: without limit.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was closed; absent while it takes signals.
    pub closed_at: Option<OffsetDateTime>,
    /// Why it was closed; absent while it takes signals.
    pub close_reason: Option<WaitpointCloseReason>,
}

impl Engine {
    /// Lists the waitpoints of an execution, oldest first; `None` if there is no
    /// such execution in the namespace.
    pub async fn waitpoints(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<Option<Page<WaitpointInfo>>, Error> {
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
        Page::whole(rows.into_iter().map(WaitpointRow::read)).map(Some)
    }

    /// Lists pending waitpoints of executions that are not finished, those that
    /// expire first coming first. The next page begins after the last one's
    /// expiry and id; those that never expire come last, with no expiry.
    pub async fn pending_waitpoints(
        &self,
        namespace: Option<&str>,
        after: Option<(Option<OffsetDateTime>, WaitpointId)>,
        limit: u32,
    ) -> Result<Page<WaitpointInfo, (Option<OffsetDateTime>, WaitpointId)>, Error> {
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
        Page::read(limit, rows.into_iter().map(read))
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
