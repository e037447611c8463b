//! What people read of waitpoints. Tokens are stored nowhere, so nothing here opens
//! anything.

use model::{
    ExecutionId, Limits, ResumeCondition, SuspensionId, WaitpointCloseReason, WaitpointId,
    WaitpointState,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::snapshot::json;
use crate::row::{Seen, count, label, optional_label};
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
    /// Names of the signals that the suspension which waits at it counts, sorted; empty if
    /// those of any name count, or if none waits at it.
    pub required_signal_names: Vec<String>,
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
    /// Lists waitpoints of an execution in the order of their ids, in which they were
    /// created, after one of them; those in a state if one is given. At most `limit`, which
    /// is at most [`Limits::PAGE_MAX`]. `None` if the namespace has no such execution. A page
    /// is short if no more follow, or if there were so few among [`Limits::WALKED_MAX`]: see
    /// [`Page::examined`].
    pub async fn waitpoints(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        state: Option<WaitpointState>,
        after: Option<WaitpointId>,
        limit: u32,
    ) -> Result<Option<Page<WaitpointInfo, WaitpointId>>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let rows = match state {
            Some(WaitpointState::Pending | WaitpointState::Active) => {
                let mut open = self.open_waitpoints(id).await?;
                let wanted = |row: &WaitpointRow| {
                    state.is_some_and(|state| row.state_name == state.as_str())
                        && after.is_none_or(|after| row.id > after.0)
                };
                open.retain(wanted);
                open
            }
            _ => {
                sqlx::query_file_as!(
                    WaitpointRow,
                    "src/waitpoint/list.sql",
                    id.partition().column(),
                    id.uuid(),
                    state.map(WaitpointState::as_str),
                    after.map_or(Uuid::nil(), |id| id.0),
                    i64::from(limit) + 1,
                    Limits::WALKED_MAX as i64,
                )
                .fetch_all(&self.inner.reads)
                .await?
            }
        };
        let seen = |row: WaitpointRow| (WaitpointId(row.id), row.seen(), move || row.read());
        let page = Page::walked(limit, rows.into_iter().map(seen))?;
        self.of_execution(id, namespace, page).await
    }

    /// Reads the open waitpoints at which a suspension of an execution waits, in the order
    /// of their ids.
    pub async fn waitpoints_of(
        &self,
        id: ExecutionId,
        suspension: SuspensionId,
    ) -> Result<Page<WaitpointInfo>, Error> {
        let mut open = self.open_waitpoints(id).await?;
        open.retain(|row| row.suspension_id == Some(suspension.0));
        Page::whole(open.into_iter().map(WaitpointRow::read))
    }

    /// Reads the open waitpoints of an execution, of which there are at most
    /// [`Limits::WAITPOINTS_OPEN_MAX`], in the order of their ids.
    async fn open_waitpoints(&self, id: ExecutionId) -> Result<Vec<WaitpointRow>, Error> {
        let mut open = sqlx::query_file_as!(
            WaitpointRow,
            "src/waitpoint/open.sql",
            id.partition().column(),
            id.uuid(),
            Limits::WAITPOINTS_OPEN_MAX as i64,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        open.sort_unstable_by_key(|row| row.id);
        Ok(open)
    }

    /// Returns the waitpoints that the open suspension of an execution waits at, in the
    /// order of their ids; none unless it is suspended.
    pub async fn active_waitpoints(&self, id: ExecutionId) -> Result<Vec<WaitpointId>, Error> {
        let mut open = self.open_waitpoints(id).await?;
        open.retain(|row| row.state_name == WaitpointState::Active.as_str());
        Ok(open.into_iter().map(|row| WaitpointId(row.id)).collect())
    }

    /// Lists pending waitpoints of executions that are not finished, those that
    /// expire first coming first. The next page begins after the last one's
    /// expiry and id; those that never expire come last, with no expiry. A page is short if
    /// no more follow, or if there were so few among [`Limits::WALKED_MAX`]: see
    /// [`Page::examined`].
    pub async fn pending_waitpoints(
        &self,
        namespace: Option<&str>,
        after: Option<(Option<OffsetDateTime>, WaitpointId)>,
        limit: u32,
    ) -> Result<Page<WaitpointInfo, (Option<OffsetDateTime>, WaitpointId)>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let (after_at, after_id) = after.unzip();
        let rows = sqlx::query_file_as!(
            WaitpointRow,
            "src/waitpoint/pending.sql",
            namespace,
            after_at.flatten(),
            after_id.map(|id| id.0),
            i64::from(limit) + 1,
            Limits::WALKED_MAX as i64,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let seen = |row: WaitpointRow| {
            let place = (row.expires_at, WaitpointId(row.id));
            (place, row.seen(), move || row.read())
        };
        Page::walked(limit, rows.into_iter().map(seen))
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
    condition: Option<String>,
    holds: bool,
    number: i64,
}

impl WaitpointRow {
    const fn seen(&self) -> Seen {
        Seen {
            holds: self.holds,
            number: self.number,
        }
    }

    fn read(self) -> Result<WaitpointInfo, Error> {
        let condition = self.condition.as_deref();
        let condition: Option<ResumeCondition> = condition
            .map(|text| json("condition", self.id, text))
            .transpose()?;
        let names = condition.as_ref().map(|it| it.signal_names(&self.key));
        let names = names.into_iter().flatten().map(str::to_owned).collect();
        Ok(WaitpointInfo {
            id: WaitpointId(self.id),
            execution_id: ExecutionId::from_uuid(self.execution_id),
            namespace: self.namespace,
            key: self.key,
            state: label("waitpoint", "state", self.id, &self.state_name)?,
            required_signal_names: names,
            suspension_id: self.suspension_id.map(SuspensionId),
            token_kid: self.token_kid,
            token_fingerprint: self.token_fingerprint,
            signals: count(self.signals),
            last_signal_at: self.last_signal_at,
            created_at: self.created_at,
            activated_at: self.activated_at,
            expires_at: self.expires_at,
            closed_at: self.closed_at,
            close_reason: optional_label("waitpoint", "close_reason", self.id, self.close_reason)?,
        })
    }
}
