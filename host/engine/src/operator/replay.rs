//! replay: finished → waiting, as a new attempt of type `replay`.
//!
//! The result and the failure of the last end are removed; the attempts stay.
//! In a flow, what was skipped because of its end waits again for the new one.
//! Locks: the flow, the finished and timer rows. Event: `replayed`.

use model::{OperateRefusal, StateKind};

use super::current_state::CurrentState;
use crate::columns::columns;
use crate::flow::MemberReplay;
use crate::operate::Operate;
use crate::row::{bigint, count, epoch, int};
use crate::statements::TRIES;
use crate::{Declined, Engine, Error};

/// The answer to a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How often the execution was replayed, this time included.
    pub replays: u32,
    /// The epoch of the execution after the replay.
    pub epoch: u64,
}

impl Engine {
    /// Makes a finished execution ready again, with the input and the policy it
    /// was created with. Failures and lost leases are counted from zero again, and a
    /// deadline relative to the creation is now relative to the replay. A repeat by the same operator succeeds again
    /// until the execution has ended again; then it is another replay.
    ///
    /// # Refusals
    /// `execution_not_terminal`; `max_replays_exhausted` when the policy allows
    /// no more.
    pub async fn replay(&self, operate: Operate) -> Result<Replayed, Declined<OperateRefusal>> {
        operate.by.check()?;
        let current = self.current_state(operate.id, operate.namespace.as_deref());
        let current = current.await?.ok_or(OperateRefusal::ExecutionNotFound)?;
        for _ in 0..TRIES {
            let member = match current.flow_id {
                Some(flow) => self.plan_member_replay(flow, operate.id).await?,
                None => None,
            };
            if let Some(replayed) = self
                .replay_once(&operate, &current, member.as_ref())
                .await?
            {
                return Ok(replayed);
            }
            let now = self.current_state(operate.id, None).await?;
            let now = now.ok_or(OperateRefusal::ExecutionNotFound)?;
            let may =
                now.state == StateKind::Terminal && now.replays < current.policy.max_replay_count;
            // Only its flow was changed meanwhile.
            if !may || member.is_none() {
                break;
            }
        }
        // It was replayed meanwhile or before, or may not be.
        let current = self.current_state(operate.id, None).await?;
        let current = current.ok_or(OperateRefusal::ExecutionNotFound)?;
        if current.state == StateKind::Terminal {
            let replays = current.replays;
            return Err(OperateRefusal::MaxReplaysExhausted { replays }.into());
        }
        let last = self.last_operation(operate.id, &["replay"]).await?;
        let repeated = last.filter(|last| last.by == operate.by);
        let state = current.state;
        let last = repeated.ok_or(OperateRefusal::ExecutionNotTerminal { state })?;
        Ok(Replayed {
            replays: current.replays,
            epoch: last.epoch.unwrap_or(current.epoch),
        })
    }

    /// Replays the execution, and what follows from that in its flow; `None` if it may not be,
    /// or not with the flow as it is now.
    async fn replay_once(
        &self,
        operate: &Operate,
        current: &CurrentState,
        member: Option<&MemberReplay>,
    ) -> Result<Option<Replayed>, Error> {
        let policy = &current.policy;
        let alone = [(operate.id, false)];
        let members = member.map_or(&alone[..], |member| &member.members);
        let replayed = columns!(
            query_file!(
                "src/operator/replay.sql",
                operate.id.partition().column(),
                operate.by.actor,
                operate.by.reason,
                member.map(|member| member.flow.uuid()),
                member.map(|member| member.version),
                member.map_or(0, |member| member.ended),
                member.map_or(0, |member| member.bad)
            );
            for (id, waits) in members => {
                ids = id.uuid();
                replays_max as Option<i32> = (*id == operate.id).then(|| int(policy.max_replay_count));
                deadlines_ms as Option<i64> = (*id == operate.id)
                    .then_some(policy.timeout_policy.execution_deadline_ms)
                    .flatten()
                    .map(bigint);
                waiting = *waits;
            }
            for (upstream, downstream, wait) in member.iter().flat_map(|member| &member.edges) => {
                upstreams = upstream.uuid();
                downstreams = downstream.uuid();
                waits = *wait;
            }
            for ((id, wait), now) in member.iter().flat_map(|member| &member.groups) => {
                group_ids = id.uuid();
                group_waits = *wait;
                satisfied = int(now.group.satisfied);
                failed = int(now.group.failed);
                skipped = int(now.group.skipped);
                open = now.open;
            }
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        let Some(replayed) = replayed else {
            return Ok(None);
        };
        self.inner.wake.ready();
        Ok(Some(Replayed {
            replays: count(replayed.replays),
            epoch: epoch(replayed.epoch),
        }))
    }
}
