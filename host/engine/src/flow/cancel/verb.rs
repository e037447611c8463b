//! cancel: open → cancelled, and members as the policy says.

use std::time::{Duration, Instant};

use model::{ExecutionId, FlowCancelRefusal, FlowCancellationPolicy, FlowId, Limits};
use uuid::Uuid;

use crate::checks::text;
use crate::operate::Operator;
use crate::row::label;
use crate::statements::TRIES;
use crate::{Declined, Engine, Error};

/// How often members are looked at that others of this instance are cancelling.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A request to cancel a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelFlow {
    /// The flow that is to be cancelled.
    pub id: FlowId,
    /// The caller's namespace; a flow elsewhere is not found. Absent for callers that may see
    /// every namespace.
    pub namespace: Option<String>,
    /// Why, for people; at most 1024 bytes.
    pub reason: Option<String>,
    /// Which members are cancelled; absent: as the flow was created with.
    pub policy: Option<FlowCancellationPolicy>,
    /// Who asks, 1 to 255 bytes.
    pub actor: String,
    /// How long to wait until the members have ended; absent: not at all.
    pub wait: Option<Duration>,
}

/// What became of a request to cancel a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelledFlow {
    /// Whether it had been cancelled before; then policy and reason are those of that time.
    pub already: bool,
    /// Which members are cancelled.
    pub policy: FlowCancellationPolicy,
    /// Why it was cancelled, as the one who did gave it.
    pub reason: Option<String>,
    /// Members that this request cancels, in the order of their ids; of a repeat those that
    /// have ended as cancelled, at most [`Limits::PAGE_MAX`].
    pub members: Vec<ExecutionId>,
    /// Those of them that have not ended. Empty once all have.
    pub open: Vec<ExecutionId>,
}

impl Engine {
    /// Cancels a flow: it takes no new members, and those that the policy names are
    /// cancelled, also if this host ends meanwhile. A repeat is answered with the policy and
    /// the reason of the first.
    ///
    /// # Refusals
    /// See [`FlowCancelRefusal`].
    pub async fn cancel_flow(
        &self,
        cancel: CancelFlow,
    ) -> Result<CancelledFlow, Declined<FlowCancelRefusal>> {
        Operator::check_actor(&cancel.actor)?;
        let reason = cancel.reason.as_deref().unwrap_or_default();
        text("reason", reason, Limits::REASON_BYTES_MAX)?;
        for _ in 0..TRIES {
            let row = sqlx::query!(
                r#"SELECT version, namespace, default_policy::text AS "default_policy!",
                          cancel_policy::text AS cancel_policy, cancel_reason
                   FROM flow WHERE partition = $1 AND id = $2"#,
                cancel.id.partition().column(),
                cancel.id.uuid()
            )
            .fetch_optional(&self.inner.verbs)
            .await?;
            let within = cancel.namespace.as_ref();
            let row = row.filter(|row| within.is_none_or(|within| *within == row.namespace));
            let row = row.ok_or(FlowCancelRefusal::NotFound)?;
            let policy = |column, text: &str| label("flow", column, cancel.id, text);
            if let Some(stored) = &row.cancel_policy {
                let members = self.cancelled_members(cancel.id).await?;
                return Ok(CancelledFlow {
                    already: true,
                    policy: policy("cancel_policy", stored)?,
                    reason: row.cancel_reason.filter(|reason| !reason.is_empty()),
                    open: self.open_of(cancel.id, &members, cancel.wait).await?,
                    members,
                });
            }
            let asked = match cancel.policy {
                Some(asked) => asked,
                None => policy("default_policy", &row.default_policy)?,
            };
            let rows = sqlx::query_file!(
                "src/flow/cancel/cancel.sql",
                cancel.id.partition().column(),
                cancel.id.uuid(),
                row.version,
                asked.as_str(),
                reason,
                cancel.actor
            )
            .fetch_all(&self.inner.verbs)
            .await?;
            if rows.is_empty() {
                continue;
            }
            self.inner.wake.logged();
            let members = rows.into_iter().filter_map(|row| row.execution_id);
            let members: Vec<ExecutionId> = members.map(ExecutionId::from_uuid).collect();
            let (engine, flow) = (self.clone(), cancel.id);
            // Continues without this caller; what this host does not get to, a sweep does.
            let working = tokio::spawn(async move { engine.cancel_listed(flow).await });
            if let Some(wait) = cancel.wait {
                let began = Instant::now();
                if let Ok(Ok(done)) = tokio::time::timeout(wait, working).await {
                    done?;
                }
                let left = wait.saturating_sub(began.elapsed());
                let open = self.open_of(cancel.id, &members, Some(left)).await?;
                return Ok(cancelled(asked, cancel.reason, members, open));
            }
            let open = members.clone();
            return Ok(cancelled(asked, cancel.reason, members, open));
        }
        Err(Error::Unavailable(format!(
            "flow {} was changed by others at every try; ask again",
            cancel.id
        ))
        .into())
    }

    /// Returns which of these members have not ended, once none is left or the time is over.
    async fn open_of(
        &self,
        flow: FlowId,
        members: &[ExecutionId],
        wait: Option<Duration>,
    ) -> Result<Vec<ExecutionId>, Error> {
        let began = Instant::now();
        let mut open: Vec<Uuid> = members.iter().map(|id| id.uuid()).collect();
        loop {
            open = sqlx::query_scalar!(
                r#"SELECT i.id AS "id!" FROM unnest($2::uuid[]) AS i(id)
                   WHERE NOT EXISTS (
                       SELECT FROM finished f
                       WHERE f.partition = $1 AND f.execution_id = i.id OFFSET 0)
                   ORDER BY i.id"#,
                flow.partition().column(),
                &open
            )
            .fetch_all(&self.inner.reads)
            .await?;
            if open.is_empty() || wait.is_none_or(|wait| began.elapsed() >= wait) {
                return Ok(open.into_iter().map(ExecutionId::from_uuid).collect());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Lists members that ended as cancelled, or are listed for that.
    async fn cancelled_members(&self, flow: FlowId) -> Result<Vec<ExecutionId>, Error> {
        let ids = sqlx::query_scalar!(
            r#"SELECT m.execution_id FROM flow_member m
               WHERE m.partition = $1 AND m.flow_id = $2
                 AND (EXISTS (SELECT FROM finished f
                              WHERE f.partition = $1 AND f.execution_id = m.execution_id
                                AND f.outcome = 'cancelled' OFFSET 0)
                      OR EXISTS (SELECT FROM flow_cancel c
                                 WHERE c.partition = $1 AND c.flow_id = $2
                                   AND c.execution_id = m.execution_id OFFSET 0))
               ORDER BY m.execution_id LIMIT $3"#,
            flow.partition().column(),
            flow.uuid(),
            i64::from(Limits::PAGE_MAX)
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Ok(ids.into_iter().map(ExecutionId::from_uuid).collect())
    }
}

fn cancelled(
    policy: FlowCancellationPolicy,
    reason: Option<String>,
    members: Vec<ExecutionId>,
    open: Vec<ExecutionId>,
) -> CancelledFlow {
    CancelledFlow {
        already: false,
        policy,
        reason,
        members,
        open,
    }
}
