//! Who begins again with a member that is replayed, and what waits again: read level by level.

use std::collections::{HashMap, HashSet};

use model::{
    EdgeGroup, EdgeGroupState, EdgeKind, ExecutionId, FlowCancellationPolicy, FlowId, FlowStatus,
    Outcome,
};
use uuid::Uuid;

use crate::flow::change::stored_policy;
use crate::row::{count, label, optional_label};
use crate::{Engine, Error};

/// What the replay of a member changes in its flow, which must be at a version.
#[derive(Debug)]
pub(crate) struct MemberReplay {
    pub(crate) flow: FlowId,
    pub(crate) version: i64,
    /// The member, and those that were skipped because of it; whether each waits for others.
    pub(crate) members: Vec<(ExecutionId, bool)>,
    /// How many of them the flow has counted as ended, and how many as badly so.
    pub(crate) ended: i32,
    pub(crate) bad: i32,
    /// Edges that wait again: upstream, downstream, wait.
    pub(crate) edges: Vec<(ExecutionId, ExecutionId, i32)>,
    pub(crate) groups: HashMap<(ExecutionId, i32), Reopened>,
}

/// A group of which ends do not count any more.
#[derive(Debug)]
pub(crate) struct Reopened {
    pub(crate) group: EdgeGroup,
    /// Whether it is to be decided again.
    pub(crate) open: bool,
}

impl MemberReplay {
    fn add(&mut self, id: ExecutionId, waits: bool, noted: Option<Outcome>) {
        self.members.push((id, waits));
        self.ended += i32::from(noted.is_some());
        self.bad += i32::from(noted.is_some_and(FlowStatus::is_bad));
    }
}

impl Engine {
    /// Decides what the replay of a member changes; `None` if its flow is gone.
    ///
    /// What ran because of its end is not undone. What was skipped because of it waits again,
    /// and so on. One that was itself skipped waits for the members that ended otherwise than
    /// it needs, until they are replayed.
    pub(crate) async fn plan_member_replay(
        &self,
        flow: FlowId,
        id: ExecutionId,
    ) -> Result<Option<MemberReplay>, Error> {
        let partition = flow.partition().column();
        let row = sqlx::query_file!(
            "src/flow/replay/snapshot.sql",
            partition,
            flow.uuid(),
            id.uuid()
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let mut replay = MemberReplay {
            flow,
            version: row.version,
            members: Vec::new(),
            ended: 0,
            bad: 0,
            edges: Vec::new(),
            groups: HashMap::new(),
        };
        let noted = optional_label("flow_member", "outcome", id, row.noted)?;
        let cancelled: Option<FlowCancellationPolicy> =
            optional_label("flow", "cancel_policy", flow, row.cancel_policy)?;
        // In a cancelled flow nothing more is decided, so nothing may wait for that.
        if cancelled.is_some_and(|policy| policy != FlowCancellationPolicy::CancelFlowOnly) {
            replay.add(id, false, noted);
            return Ok(Some(replay));
        }
        let mut waits = false;
        if let (Some(policy), Some(state)) = (row.policy, row.state) {
            let group = EdgeGroup {
                policy: stored_policy(id.uuid(), &policy, row.k, row.cancel_remaining)?,
                total: count(row.total.unwrap_or_default()),
                satisfied: count(row.satisfied.unwrap_or_default()),
                failed: 0,
                skipped: 0,
                state: label("flow_group", "state", id, &state)?,
            };
            waits = group.total > 0 && group.state != EdgeGroupState::Satisfied;
            if group.state == EdgeGroupState::Impossible {
                let against =
                    sqlx::query_file_scalar!("src/flow/replay/against.sql", partition, id.uuid())
                        .fetch_all(&self.inner.verbs)
                        .await?;
                let upstream = against.into_iter().map(ExecutionId::from_uuid);
                replay
                    .edges
                    .extend(upstream.map(|upstream| (upstream, id, 0)));
                let open = true;
                replay.groups.insert((id, 0), Reopened { group, open });
            }
        }
        replay.add(id, waits, noted);
        let mut level = vec![id.uuid()];
        let mut seen: HashSet<Uuid> = level.iter().copied().collect();
        while !level.is_empty() {
            level = self.follow(&mut replay, &level).await?;
            level.retain(|id| seen.insert(*id));
        }
        replay.members.sort_unstable();
        Ok(Some(replay))
    }

    /// Takes back the ends of these members; returns the members that begin again with them.
    async fn follow(&self, replay: &mut MemberReplay, level: &[Uuid]) -> Result<Vec<Uuid>, Error> {
        let partition = replay.flow.partition().column();
        let rows = sqlx::query_file!("src/flow/replay/followers.sql", partition, level)
            .fetch_all(&self.inner.verbs)
            .await?;
        let mut next = Vec::new();
        for row in rows {
            let id = row.downstream;
            let downstream = ExecutionId::from_uuid(id);
            let outcome: Outcome = label("flow_member", "outcome", row.upstream, &row.outcome)?;
            let kind: EdgeKind = label("flow_edge", "kind", id, &row.kind)?;
            let group = EdgeGroup {
                policy: stored_policy(id, &row.policy, row.k, Some(row.cancel_remaining))?,
                total: count(row.total),
                satisfied: count(row.satisfied),
                failed: count(row.failed),
                skipped: count(row.skipped),
                state: label("flow_group", "state", id, &row.state)?,
            };
            let decided = group.state != EdgeGroupState::Pending;
            // What began, or resumed, is not undone.
            if group.state == EdgeGroupState::Satisfied || decided && row.wait > 0 {
                continue;
            }
            let upstream = ExecutionId::from_uuid(row.upstream);
            replay.edges.push((upstream, downstream, row.wait));
            let reopened = replay.groups.entry((downstream, row.wait));
            let reopened = reopened.or_insert(Reopened { group, open: false });
            reopened.group.uncount(kind.effect(outcome));
            if !decided || reopened.open {
                continue;
            }
            reopened.group.state = EdgeGroupState::Pending;
            if reopened.group.decide().is_some() {
                continue;
            }
            reopened.open = true;
            let ended: Option<Outcome> =
                optional_label("finished", "outcome", id, row.downstream_outcome)?;
            if ended == Some(Outcome::Skipped) {
                let noted = optional_label("flow_member", "outcome", id, row.downstream_noted)?;
                replay.add(downstream, true, noted);
                next.push(id);
            }
        }
        Ok(next)
    }
}
