//! Repeats of suspend: what became of an earlier request with the same idempotency key,
//! or under the same lease.

use model::{
    AttemptEnd, ExecutionId, Invalid, LeaseRefusal, SuspendRefusal, SuspensionCloseReason,
    SuspensionId, WaitpointId,
};

use super::request::{
    Satisfied, Suspend, Suspended, Suspension, SuspensionTimeout, SuspensionWaitpoint,
};
use crate::lease::{Observation, Resumption};
use crate::row::optional_label;
use crate::waitpoint::OpenWaitpoint;
use crate::{Declined, Engine, Error, MintWaitpointToken, WaitpointTokenExpiry};

impl Engine {
    /// Answers a request with the outcome of an earlier one that had its idempotency key;
    /// `None` if there is none, or the earlier one was not satisfied.
    pub(super) async fn answer_by_key(
        &self,
        suspend: &Suspend,
    ) -> Result<Option<Suspended>, Declined<SuspendRefusal>> {
        let Some(key) = &suspend.idempotency_key else {
            return Ok(None);
        };
        let id = suspend.fence.execution_id;
        let row = sqlx::query!(
            "SELECT s.id, s.close_reason FROM suspension s
             WHERE s.partition = $1 AND s.execution_id = $2 AND s.idempotency_key = $3
               AND s.replays = (SELECT l.replays FROM lease l
                                WHERE l.partition = $1 AND l.execution_id = $2)",
            id.partition().column(),
            id.uuid(),
            key
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let reason: Option<SuspensionCloseReason> =
            optional_label("suspension", "close_reason", row.id, row.close_reason)?;
        if !reason.is_some_and(SuspensionCloseReason::resumes) {
            return Ok(None);
        }
        if let Some(first) = self.check_fence(suspend, None).await? {
            return Ok(Some(first));
        }
        Ok(match self.resumption_of(id, SuspensionId(row.id)).await? {
            Some(resumption) => Some(self.already_satisfied(suspend, resumption).await?),
            None => None,
        })
    }

    /// Answers with a suspension that is satisfied, and the waitpoints it was bound to.
    pub(super) async fn already_satisfied(
        &self,
        suspend: &Suspend,
        resumption: Resumption,
    ) -> Result<Suspended, Error> {
        let id = suspend.fence.execution_id;
        let mut waitpoints = self.bound_waitpoints(id, resumption.suspension_id).await?;
        waitpoints.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Suspended::AlreadySatisfied(Satisfied {
            resumption,
            waitpoints,
        }))
    }

    /// Lists the waitpoints that a suspension was the last to be bound to.
    async fn bound_waitpoints(
        &self,
        id: ExecutionId,
        suspension: SuspensionId,
    ) -> Result<Vec<SuspensionWaitpoint>, Error> {
        let rows = sqlx::query!(
            "SELECT t.id, t.key FROM waitpoint t
             WHERE t.partition = $1 AND t.execution_id = $2 AND t.suspension_id = $3",
            id.partition().column(),
            id.uuid(),
            suspension.0,
        )
        .fetch_all(&self.inner.verbs)
        .await?;
        let waitpoints = rows.into_iter().map(|row| SuspensionWaitpoint {
            id: WaitpointId(row.id),
            key: row.key,
        });
        Ok(waitpoints.collect())
    }

    /// Says why a write under a fence changed nothing: refuses where the lease does not
    /// hold, unless this request was answered before, with the suspension that ended the
    /// lease, which is returned; `None` where the lease holds, so that something else has
    /// changed. `look` is what was read of the execution after the write, if it was.
    pub(super) async fn check_fence(
        &self,
        suspend: &Suspend,
        look: Option<Box<Observation>>,
    ) -> Result<Option<Suspended>, Declined<SuspendRefusal>> {
        let fence = suspend.fence;
        let look = match look {
            Some(look) => Some(*look),
            None => self.observe(fence).await?,
        };
        let look = look.ok_or(LeaseRefusal::ExecutionNotFound)?;
        if look.observed.holds(&fence, false) {
            return Ok(None);
        }
        if look.ended_as(AttemptEnd::Suspended)
            && let Some(first) = self.suspension_under_lease(suspend).await?
        {
            return Ok(Some(Suspended::Suspended(first)));
        }
        Err(look.observed.refusal(&fence).into())
    }

    /// Reads the suspension that ended a lease, with new tokens, if it is the one that is
    /// asked for.
    async fn suspension_under_lease(&self, suspend: &Suspend) -> Result<Option<Suspension>, Error> {
        let fence = suspend.fence;
        let id = fence.execution_id;
        let row = sqlx::query!(
            "SELECT s.id, s.timeout_at, s.timeout_behavior, s.reason, s.requested_by, s.condition,
                    s.resume_policy, s.state, s.state_type, e.namespace
             FROM suspension s JOIN execution e ON e.partition = $1 AND e.id = $2
             WHERE s.partition = $1 AND s.execution_id = $2 AND s.epoch = $3 AND NOT s.at_once",
            id.partition().column(),
            id.uuid(),
            fence.epoch as i64,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        // What the policy fills in, and a time from now, are not compared.
        let same = row.filter(|row| {
            let state = suspend.state.as_ref();
            row.condition == suspend.condition_text()
                && row.resume_policy == suspend.resume_policy_text()
                && row.state.as_deref() == state.map(|it| it.data.as_slice())
                && row.state_type.as_deref() == state.map(|it| it.content_type.as_str())
                && row.reason == suspend.reason.as_str()
                && row.requested_by == suspend.requested_by.as_str()
                && suspend
                    .timeout_behavior
                    .is_none_or(|it| row.timeout_behavior == it.as_str())
                && match suspend.timeout {
                    Some(SuspensionTimeout::At(at)) => row
                        .timeout_at
                        .is_some_and(|it| (it - at.utc()).abs() < time::Duration::MICROSECOND),
                    _ => true,
                }
        });
        let Some(row) = same else { return Ok(None) };
        let mut waitpoints = self.bound_waitpoints(id, SuspensionId(row.id)).await?;
        waitpoints.sort_by_key(|it| suspend.place_of(it.id, &it.key));
        let tokens: Vec<MintWaitpointToken> = waitpoints
            .iter()
            .map(|waitpoint| MintWaitpointToken {
                namespace: row.namespace.clone(),
                execution_id: id,
                waitpoint_id: waitpoint.id,
                signal_names: suspend.names_for(&waitpoint.key),
                expiry: WaitpointTokenExpiry::Never,
            })
            .collect();
        let minted = match self.mint_waitpoint_tokens(&tokens).await {
            Err(Declined::Refused(Invalid { .. })) => return Ok(None),
            Err(Declined::Fault(fault)) => return Err(fault),
            Ok(minted) => minted,
        };
        Ok(Some(Suspension {
            id: SuspensionId(row.id),
            timeout_at: row.timeout_at,
            waitpoints: waitpoints
                .into_iter()
                .zip(minted)
                .map(|(waitpoint, minted)| OpenWaitpoint {
                    id: waitpoint.id,
                    key: waitpoint.key,
                    token: minted.token,
                    expires_at: None,
                    existing: true,
                })
                .collect(),
        }))
    }
}
