//! What follows from members that ended: which groups are decided, who begins and who is
//! skipped. Pure, but for the edges that it asks for level by level.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{
    EdgeEffect, EdgeGroup, EdgeKind, EdgeState, ExecutionId, FlowCancellationPolicy, FlowId,
    FlowStatus, GroupDecision, OnSatisfied, Outcome,
};

/// Members that are skipped by one statement at most; the edges of those beyond are left to
/// the next one.
pub(super) const SKIPPED_MAX: usize = 2000;

/// A member that ended, or may have.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) flow: FlowId,
    pub(super) id: ExecutionId,
    pub(super) epoch: i64,
    /// Of the flow; absent if there is none any more.
    pub(super) version: Option<i64>,
    pub(super) cancelled: Option<FlowCancellationPolicy>,
    pub(super) default_policy: Option<FlowCancellationPolicy>,
    /// What the flow has noted of it before.
    pub(super) known: Option<Outcome>,
    /// Absent if it has not ended, or was replayed since.
    pub(super) outcome: Option<Outcome>,
}

/// An edge that waits for a member, and what it belongs to.
#[derive(Debug)]
pub(super) struct WaitingEdge {
    pub(super) flow: FlowId,
    pub(super) upstream: ExecutionId,
    pub(super) downstream: ExecutionId,
    pub(super) wait: i32,
    pub(super) kind: EdgeKind,
    pub(super) group: EdgeGroup,
    /// What a worker must serve for the downstream member; absent if that does not wait.
    pub(super) waits: Option<Waits>,
}

/// A member that waits for others.
#[derive(Debug, Clone)]
pub(super) struct Waits {
    pub(super) lane: String,
    pub(super) kind: String,
    pub(super) capabilities: std::collections::BTreeSet<String>,
    /// Whether it has to wait for a time when it is released.
    pub(super) delayed: bool,
}

/// A group and what has become of it.
#[derive(Debug)]
pub(super) struct GroupNow {
    pub(super) flow: FlowId,
    pub(super) group: EdgeGroup,
    /// Why upstream members that have not ended are cancelled.
    pub(super) cancels: Option<&'static str>,
}

/// A member that begins.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) flow: FlowId,
    pub(super) id: ExecutionId,
    pub(super) wait: i32,
    pub(super) waits: Waits,
}

/// A member that is skipped.
#[derive(Debug)]
pub(super) struct Skipped {
    pub(super) flow: FlowId,
    pub(super) id: ExecutionId,
    pub(super) why: String,
    /// Whether edges that wait for it are left to the next statement.
    pub(super) open: bool,
}

/// What a flow counts more.
#[derive(Debug, Default)]
pub(super) struct FlowNow {
    pub(super) version: i64,
    pub(super) ended: i32,
    pub(super) bad: i32,
}

/// What follows from members that ended.
#[derive(Debug, Default)]
pub(super) struct Resolution {
    pub(super) flows: BTreeMap<FlowId, FlowNow>,
    pub(super) noted: Vec<(FlowId, ExecutionId, i64)>,
    /// Of flows that are gone.
    pub(super) orphans: Vec<(FlowId, ExecutionId)>,
    pub(super) outcomes: Vec<(FlowId, ExecutionId, Outcome)>,
    pub(super) edges: Vec<(FlowId, ExecutionId, ExecutionId, i32, EdgeState)>,
    pub(super) groups: HashMap<(ExecutionId, i32), GroupNow>,
    pub(super) released: Vec<Released>,
    pub(super) skipped: Vec<Skipped>,
    /// Members that were cancelled, whose children may have to be, and whether also those
    /// that run.
    pub(super) parents: Vec<(FlowId, ExecutionId, bool)>,
    /// Members whose edges are to be read next, and how they ended.
    frontier: HashMap<ExecutionId, Outcome>,
}

impl Resolution {
    /// Begins with members that ended.
    pub(super) fn of(dues: Vec<Due>) -> Self {
        let mut resolution = Self::default();
        let mut seen = HashSet::new();
        for due in dues {
            let Some(version) = due.version else {
                resolution.orphans.push((due.flow, due.id));
                continue;
            };
            let flow = resolution.flows.entry(due.flow).or_default();
            flow.version = version;
            resolution.noted.push((due.flow, due.id, due.epoch));
            let Some(outcome) = due.outcome else {
                continue;
            };
            // Ended, replayed and ended again before the flow took note of it.
            if !seen.insert(due.id) {
                continue;
            }
            if due.known != Some(outcome) {
                let was_bad = due.known.is_some_and(FlowStatus::is_bad);
                flow.ended += i32::from(due.known.is_none());
                flow.bad += i32::from(FlowStatus::is_bad(outcome)) - i32::from(was_bad);
                resolution.outcomes.push((due.flow, due.id, outcome));
            }
            if matches!(outcome, Outcome::Cancelled | Outcome::Expired) {
                let running = match due.default_policy.unwrap_or_default() {
                    FlowCancellationPolicy::CancelAll => Some(true),
                    FlowCancellationPolicy::CancelPending => Some(false),
                    FlowCancellationPolicy::CancelFlowOnly => None,
                };
                let parent = running.map(|running| (due.flow, due.id, running));
                resolution.parents.extend(parent);
            }
            // The members of a cancelled flow are cancelled one by one, and none begins.
            let decides = matches!(
                due.cancelled,
                None | Some(FlowCancellationPolicy::CancelFlowOnly)
            );
            if decides {
                resolution.frontier.insert(due.id, outcome);
            }
        }
        resolution
    }

    /// Returns the members whose edges are to be read next; none at the end.
    pub(super) fn asks_for(&self) -> Vec<ExecutionId> {
        let mut ids: Vec<ExecutionId> = self.frontier.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Continues with the edges that wait for these members.
    pub(super) fn follow(&mut self, edges: Vec<WaitingEdge>) {
        let ended = std::mem::take(&mut self.frontier);
        for edge in edges {
            let Some(outcome) = ended.get(&edge.upstream).copied() else {
                continue;
            };
            let effect = edge.kind.effect(outcome);
            let key = (edge.downstream, edge.wait);
            self.edges.push((
                edge.flow,
                edge.upstream,
                edge.downstream,
                edge.wait,
                effect.state(),
            ));
            let now = self.groups.entry(key).or_insert(GroupNow {
                flow: edge.flow,
                group: edge.group,
                cancels: None,
            });
            now.group.count(effect);
            let Some(decision) = now.group.decide() else {
                continue;
            };
            if now.group.policy.on_satisfied() == OnSatisfied::CancelRemaining {
                now.cancels = Some(match decision {
                    GroupDecision::Satisfied => "sibling_quorum_satisfied",
                    GroupDecision::Impossible => "sibling_quorum_impossible",
                });
            }
            // It may have ended while it waited; then the decision is only noted.
            let Some(waits) = edge.waits else {
                continue;
            };
            match decision {
                GroupDecision::Impossible if edge.wait == 0 => {
                    self.skip(
                        edge.flow,
                        edge.downstream,
                        why(edge.upstream, outcome, effect),
                    );
                }
                // A handler that waits for children resumes in any case, and reads how they
                // ended.
                _ => self.released.push(Released {
                    flow: edge.flow,
                    id: edge.downstream,
                    wait: edge.wait,
                    waits,
                }),
            }
        }
        if self.skipped.len() > SKIPPED_MAX {
            for skipped in &mut self.skipped {
                skipped.open |= self.frontier.contains_key(&skipped.id);
            }
            self.frontier.clear();
        }
    }

    fn skip(&mut self, flow: FlowId, id: ExecutionId, why: String) {
        self.skipped.push(Skipped {
            flow,
            id,
            why,
            open: false,
        });
        self.outcomes.push((flow, id, Outcome::Skipped));
        if let Some(flow) = self.flows.get_mut(&flow) {
            flow.ended += 1;
        }
        self.frontier.insert(id, Outcome::Skipped);
    }
}

/// Says why a member is skipped, for people.
fn why(upstream: ExecutionId, outcome: Outcome, effect: EdgeEffect) -> String {
    match effect {
        EdgeEffect::Skipped if outcome == Outcome::Success => {
            format!("{upstream} succeeded, and a failure of it was waited for")
        }
        _ => format!("{upstream}, which it waits for, ended as {outcome}"),
    }
}
