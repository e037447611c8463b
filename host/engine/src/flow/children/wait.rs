//! wait-children: active → waiting for children, as the same attempt.
//!
//! Event: `waiting_children`.

use std::collections::{HashMap, HashSet};

use model::{
    AttemptEnd, EdgeDependencyPolicy, EdgeKind, ExecutionId, Fence, FlowRefusal, LeaseRefusal,
    OnSatisfied,
};
use uuid::Uuid;

use super::list::{Child, Children};
use crate::flow::request::MemberRef;
use crate::lease::{EndLease, Report};
use crate::operate::Operator;
use crate::row::{bigint, int};
use crate::statements::conflict;
use crate::{Declined, Engine, random};

/// Tries of a wait while others change the flow.
const TRIES: u32 = 50;

/// Which children an attempt waits for, and for how many of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WaitFor {
    /// Children by name or id; absent: all that have not ended.
    pub children: Option<Vec<MemberRef>>,
    /// For how many of them.
    pub policy: EdgeDependencyPolicy,
    /// Which ends count; absent: any end if all are waited for, else success.
    pub kind: Option<EdgeKind>,
}

impl WaitFor {
    fn kind(&self) -> EdgeKind {
        self.kind.unwrap_or(match self.policy {
            EdgeDependencyPolicy::AllOf => EdgeKind::Always,
            EdgeDependencyPolicy::AnyOf { .. } | EdgeDependencyPolicy::Quorum { .. } => {
                EdgeKind::SuccessOnly
            }
        })
    }

    /// Returns the children that are waited for; empty if nothing is to be waited for.
    fn chosen<'a>(&self, all: &'a [Child]) -> Result<Vec<&'a Child>, FlowRefusal> {
        let Some(named) = &self.children else {
            let open = all.iter().filter(|child| child.outcome.is_none());
            return Ok(open.collect());
        };
        let by_id: HashMap<_, _> = all.iter().map(|child| (child.id, child)).collect();
        let names = all.iter();
        let by_name: HashMap<_, _> = names
            .filter_map(|child| Some((child.name.as_deref()?, child)))
            .collect();
        let mut seen = HashSet::new();
        let mut chosen = Vec::new();
        for member in named {
            let found = match member {
                MemberRef::Name(name) => by_name.get(name.as_str()),
                MemberRef::Id(id) => by_id.get(id),
            };
            let child = *found.ok_or(FlowRefusal::ExecutionNotInFlow(member.to_string()))?;
            if seen.insert(child.id) {
                chosen.push(child);
            }
        }
        Ok(chosen)
    }
}

impl Engine {
    /// Ends a lease until so many children of its execution have ended as is waited for, or no
    /// longer can. Not a failure: the same attempt resumes under a new lease, and at once if
    /// there is nothing to wait for.
    ///
    /// # Refusals
    /// Those of a lease that does not hold; `execution_not_in_flow` for what is no child;
    /// `invalid_dependency` for a quorum of more than there are; `cycle_detected` for a child
    /// that itself waits for this execution. A repeat under the same fence succeeds again.
    pub async fn wait_children(
        &self,
        fence: Fence,
        report: Report,
        wait: &WaitFor,
    ) -> Result<(), Declined<FlowRefusal>> {
        wait.policy.check()?;
        let _turn = match self.flow_of(fence.execution_id).await? {
            Some(flow) => Some(self.inner.flow_turns.take(flow).await),
            None => None,
        };
        for _ in 0..TRIES {
            let found = self.children_of(fence.execution_id).await?;
            let chosen = match &found {
                Some(found) => wait.chosen(&found.children)?,
                None => wait.chosen(&[])?,
            };
            let (Some(found), false) = (&found, chosen.is_empty()) else {
                let call = EndLease::waited_for_nothing(fence, report);
                self.inner.batchers.end_lease.call(call).await??;
                return Ok(());
            };
            self.check_wait(fence.execution_id, wait, &chosen).await?;
            if self
                .park(fence, &report, None, wait, found, &chosen)
                .await?
            {
                return Ok(());
            }
            let look = self.observe(fence).await?;
            let look = look.ok_or(LeaseRefusal::ExecutionNotFound)?;
            if look.ended_as(AttemptEnd::WaitingChildren) {
                return Ok(());
            }
            if !look.observed.holds(&fence, false) {
                return Err(look.observed.refusal(&fence).into());
            }
        }
        Err(conflict(fence.execution_id).into())
    }

    /// The same for a running execution in place of its holder; `None` if there is nothing to
    /// wait for, `false` if the lease or the flow changed meanwhile.
    pub(crate) async fn wait_children_in_place_of(
        &self,
        fence: Fence,
        by: &Operator,
        wait: &WaitFor,
    ) -> Result<Option<bool>, Declined<FlowRefusal>> {
        wait.policy.check()?;
        let found = self.children_of(fence.execution_id).await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let chosen = wait.chosen(&found.children)?;
        if chosen.is_empty() {
            return Ok(None);
        }
        self.check_wait(fence.execution_id, wait, &chosen).await?;
        let report = Report::default();
        let parked = self.park(fence, &report, Some(by), wait, &found, &chosen);
        let parked = parked.await?;
        if parked {
            self.inner.wake.lost(fence.execution_id);
        }
        Ok(Some(parked))
    }

    /// Refuses a wait that could never come true.
    async fn check_wait(
        &self,
        id: ExecutionId,
        wait: &WaitFor,
        chosen: &[&Child],
    ) -> Result<(), Declined<FlowRefusal>> {
        if wait.policy.k().is_some_and(|k| k as usize > chosen.len()) {
            return Err(FlowRefusal::InvalidDependency {
                member: id.to_string(),
                why: "its quorum is larger than the number of children that it waits for",
            }
            .into());
        }
        let reachable = sqlx::query_file!(
            "src/flow/change/reachable.sql",
            id.partition().column(),
            &[id.uuid()]
        )
        .fetch_all(&self.inner.verbs)
        .await?;
        let waiting: HashSet<Uuid> = reachable.iter().map(|edge| edge.downstream).collect();
        let cycle = chosen
            .iter()
            .find(|child| waiting.contains(&child.id.uuid()));
        match cycle {
            None => Ok(()),
            Some(child) => {
                let shown = child.name.clone().unwrap_or_else(|| child.id.to_string());
                let cycle = vec![id.to_string(), shown];
                Err(FlowRefusal::CycleDetected { cycle }.into())
            }
        }
    }

    /// Ends the lease and writes what is waited for; `false` if lease or flow have changed.
    async fn park(
        &self,
        fence: Fence,
        report: &Report,
        by: Option<&Operator>,
        wait: &WaitFor,
        found: &Children,
        chosen: &[&Child],
    ) -> Result<bool, Declined<FlowRefusal>> {
        let usage = report.usage;
        let ids: Vec<Uuid> = chosen.iter().map(|_| random::ordered_uuid()).collect();
        let children: Vec<Uuid> = chosen.iter().map(|child| child.id.uuid()).collect();
        let ended: Vec<bool> = chosen.iter().map(|child| child.outcome.is_some()).collect();
        let parked = sqlx::query_file_scalar!(
            "src/flow/children/wait.sql",
            fence.execution_id.partition().column(),
            fence.execution_id.uuid(),
            fence.lease_id.0,
            bigint(fence.epoch),
            int(fence.attempt),
            by.is_some(),
            report.log,
            report.component_id,
            usage.map(|usage| int(usage.cpu_ticks)),
            usage.map(|usage| bigint(usage.memory_peak_bytes)),
            usage.map(|usage| int(usage.host_calls)),
            usage.map(|usage| bigint(usage.bytes_out)),
            usage.map(|usage| bigint(usage.wall_us)),
            found.flow.uuid(),
            found.version,
            found.waits + 1,
            wait.policy.kind(),
            wait.policy.k().map(int),
            wait.policy.on_satisfied() == OnSatisfied::CancelRemaining,
            wait.kind().as_str(),
            &ids,
            &children,
            &ended,
            by.map(|by| by.actor.as_str()),
            by.and_then(|by| by.reason.as_deref()),
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        if parked.is_none() {
            return Ok(false);
        }
        self.inner.wake.logged();
        self.inner.wake.streamed([fence.execution_id].into_iter());
        if ended.contains(&true) {
            self.inner.wake.flows_due([found.flow]);
        }
        Ok(true)
    }
}
