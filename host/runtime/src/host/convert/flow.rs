//! Flows, their members, children and inputs, as guests see them.

use engine::{CancelledFlow, FlowChanged, FlowInfo, FlowInput, FlowMember, MemberMade};
use model::{EdgeDependencyPolicy, EdgeGroup, FlowCounters};

use super::{failure, state, text_bytes, timestamp_ms};
use crate::host::bindings::flowhost::engine::flows::{
    Cancelled, Changed, Child, Counters, CreatedMember, DependencyPolicy, Description,
    EdgeGroup as ShownGroup, Input, Member, MemberPage, Quorum,
};

/// Returns the policy that a guest names.
pub(crate) fn policy_of(policy: DependencyPolicy) -> EdgeDependencyPolicy {
    match policy {
        DependencyPolicy::AllOf => EdgeDependencyPolicy::AllOf,
        DependencyPolicy::AnyOf(on_satisfied) => EdgeDependencyPolicy::AnyOf {
            on_satisfied: on_satisfied.into(),
        },
        DependencyPolicy::Quorum(Quorum { k, on_satisfied }) => EdgeDependencyPolicy::Quorum {
            k,
            on_satisfied: on_satisfied.into(),
        },
    }
}

fn policy_shown(policy: EdgeDependencyPolicy) -> DependencyPolicy {
    match policy {
        EdgeDependencyPolicy::AllOf => DependencyPolicy::AllOf,
        EdgeDependencyPolicy::AnyOf { on_satisfied } => {
            DependencyPolicy::AnyOf(on_satisfied.into())
        }
        EdgeDependencyPolicy::Quorum { k, on_satisfied } => DependencyPolicy::Quorum(Quorum {
            k,
            on_satisfied: on_satisfied.into(),
        }),
    }
}

/// Builds the answer to a call that creates or changes a flow.
pub(crate) fn changed(made: FlowChanged) -> Changed {
    let member = |member: MemberMade| CreatedMember {
        execution_id: member.id.to_string(),
        name: member.name,
        state: member.state.map(state),
    };
    Changed {
        flow_id: made.id.to_string(),
        applied: made.applied,
        graph_revision: count(made.graph_revision),
        node_count: made.node_count,
        edge_count: made.edge_count,
        members: made.members.into_iter().map(member).collect(),
    }
}

/// Returns the bytes of such an answer.
pub(crate) fn changed_bytes(changed: &Changed) -> usize {
    let members = changed.members.iter();
    let texts = members.map(|it| it.execution_id.len() + text_bytes(it.name.as_ref()));
    size_of_val(changed.members.as_slice()) + texts.sum::<usize>()
}

/// Builds a child.
pub(crate) fn child(child: engine::Child) -> Child {
    Child {
        id: child.id.to_string(),
        name: child.name,
        outcome: child.outcome.map(Into::into),
        result_type: child.result_type,
        result_bytes: child.result_bytes.map(count),
        failure: child.failure.map(failure),
    }
}

/// Returns the bytes of children.
pub(crate) fn children_bytes(children: &[Child]) -> usize {
    let texts = children.iter().map(|child| {
        let failure = child.failure.as_ref();
        child.id.len()
            + text_bytes(child.name.as_ref())
            + text_bytes(child.result_type.as_ref())
            + failure.map_or(0, |it| it.code.len() + it.message.len())
    });
    size_of_val(children) + texts.sum::<usize>()
}

/// Builds an input.
pub(crate) fn input(input: FlowInput) -> Input {
    Input {
        name: input.name,
        execution_id: input.execution_id.to_string(),
        outcome: input.outcome.map(Into::into),
        content_type: input.content_type,
        bytes: count(input.bytes),
    }
}

/// Returns the bytes of inputs.
pub(crate) fn inputs_bytes(inputs: &[Input]) -> usize {
    let texts = inputs.iter().map(|input| {
        input.name.len() + input.execution_id.len() + text_bytes(input.content_type.as_ref())
    });
    size_of_val(inputs) + texts.sum::<usize>()
}

/// Builds the description of a flow.
pub(crate) fn flow(info: FlowInfo, counters: FlowCounters) -> Description {
    Description {
        public_flow_state: info.public_state(&counters).into(),
        counters: counted(&counters),
        flow_id: info.id.to_string(),
        kind: info.kind,
        creator: info.creator,
        tags: info.tags.into_iter().collect(),
        status: info.status.into(),
        graph_revision: count(info.graph_revision),
        node_count: info.node_count,
        edge_count: info.edge_count,
        cancellation_policy: info.cancellation_policy.into(),
        created_at: timestamp_ms(info.created_at),
        last_mutation_at: timestamp_ms(info.last_mutation_at),
        ended_at: info.ended_at.map(timestamp_ms),
        cancelled_at: info.cancelled_at.map(timestamp_ms),
        cancelled_by: info.cancelled_by,
        cancel_reason: info.cancel_reason,
    }
}

/// Returns the bytes of the description of a flow.
pub(crate) fn flow_bytes(description: &Description) -> usize {
    let texts = [
        &description.creator,
        &description.cancelled_by,
        &description.cancel_reason,
    ];
    let tags = description.tags.iter();
    size_of::<Description>()
        + description.kind.len()
        + texts
            .map(|text| text_bytes(text.as_ref()))
            .iter()
            .sum::<usize>()
        + size_of_val(description.tags.as_slice())
        + tags
            .map(|(key, value)| key.len() + value.len())
            .sum::<usize>()
}

const fn counted(counters: &FlowCounters) -> Counters {
    Counters {
        total: counters.total,
        completed: counters.completed,
        failed: counters.failed,
        cancelled: counters.cancelled,
        expired: counters.expired,
        skipped: counters.skipped,
        active: counters.active,
        suspended: counters.suspended,
        waiting: counters.waiting,
        delayed: counters.delayed,
        rate_limited: counters.rate_limited,
        waiting_children: counters.waiting_children,
    }
}

/// Builds a member of a flow.
pub(crate) fn member(member: FlowMember) -> Member {
    let execution = member.execution;
    Member {
        execution_id: execution.id.to_string(),
        name: member.name,
        parent_id: member.parent_id.map(|id| id.to_string()),
        kind: execution.kind,
        state: state(execution.public_state),
        edge_group: member.group.map(group),
    }
}

fn group(group: EdgeGroup) -> ShownGroup {
    ShownGroup {
        policy: policy_shown(group.policy),
        total_deps: group.total,
        satisfied_count: group.satisfied,
        failed_count: group.failed,
        skipped_count: group.skipped,
        running_count: group.running(),
        group_state: group.state.into(),
    }
}

/// Returns the bytes of a page of members.
pub(crate) fn members_bytes(page: &MemberPage) -> usize {
    let texts = page.members.iter().map(|member| {
        member.execution_id.len()
            + text_bytes(member.name.as_ref())
            + text_bytes(member.parent_id.as_ref())
            + member.kind.len()
    });
    size_of_val(page.members.as_slice()) + texts.sum::<usize>()
}

/// Builds the answer to a cancellation.
pub(crate) fn cancelled(done: CancelledFlow) -> Cancelled {
    Cancelled {
        already: done.already,
        cancellation_policy: done.policy.into(),
        reason: done.reason,
        member_count: count(done.members.len() as u64),
        open_count: count(done.open.len() as u64),
    }
}

fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
