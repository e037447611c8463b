//! A flow as people see it: levels from top to bottom, each member with its state and the
//! edges that lead to it.
//!
//! ```text
//! ● left    completed
//! ◐ right   active
//!   │
//! ○ join    waiting_children  all_of 1/2  ← ✓ left  ← · right
//! ```

use std::collections::HashMap;

use model::{EdgeKind, EdgeState, ExecutionId, FlowStatus, PublicFlowState, PublicState};

use crate::api::{Edge, EdgeGroup, EdgeGroupPolicy, Flow, FlowMember};
use crate::cli::io::{Paint, Terminal, escape, format_time};

/// Characters of a name before it is cut.
const NAME_MAX: usize = 40;
/// Edges of a member that are named.
const EDGES_MAX: usize = 8;

/// Returns the color of the status of a flow.
pub(super) const fn of_status(status: FlowStatus) -> Paint {
    match status {
        FlowStatus::Active => Paint::Cyan,
        FlowStatus::Completed => Paint::Green,
        FlowStatus::Failed => Paint::Red,
        FlowStatus::Cancelled => Paint::Yellow,
        FlowStatus::Unknown => Paint::Dim,
    }
}

const fn of_flow(state: PublicFlowState) -> Paint {
    match state {
        PublicFlowState::Completed => Paint::Green,
        PublicFlowState::Failed => Paint::Red,
        PublicFlowState::Cancelled | PublicFlowState::Blocked => Paint::Yellow,
        PublicFlowState::Open | PublicFlowState::Running => Paint::Cyan,
    }
}

/// Returns a flow in one line.
pub(super) fn summary(terminal: Terminal, flow: &Flow) -> String {
    let it = &flow.counters;
    let counts = [
        ("completed", it.completed),
        ("active", it.active),
        ("waiting", it.waiting),
        ("waiting for others", it.waiting_children),
        ("suspended", it.suspended),
        ("delayed", it.delayed),
        ("rate limited", it.rate_limited),
        ("failed", it.failed),
        ("expired", it.expired),
        ("cancelled", it.cancelled),
        ("skipped", it.skipped),
    ];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let counts = counts.map(|(name, count)| format!("{count} {name}"));
    let counts: Vec<_> = counts.collect();
    let state = flow.public_flow_state;
    let state = terminal.paint(of_flow(state), state.as_str());
    match counts.is_empty() {
        true => format!("{state}: no members"),
        false => format!("{state}: {}", counts.join(", ")),
    }
}

/// Returns what stands above the graph.
pub(super) fn head(terminal: Terminal, flow: &Flow) -> Vec<String> {
    let title = format!("{} {}", escape(&flow.kind), flow.flow_id);
    let mut lines = vec![terminal.paint(Paint::Bold, &title), summary(terminal, flow)];
    if let Some(at) = flow.cancelled_at {
        let by = flow.cancelled_by.as_deref().unwrap_or_default();
        let reason = flow.cancel_reason.as_deref();
        let reason = reason.map(|it| format!(": {}", escape(it)));
        lines.push(format!(
            "cancelled {} by {}, {}{}",
            format_time(at),
            escape(by),
            flow.cancellation_policy,
            reason.unwrap_or_default()
        ));
    }
    lines
}

/// Draws the members level by level: each below all that it waits for.
pub(super) fn graph(terminal: Terminal, members: &[FlowMember], edges: &[Edge]) -> Vec<String> {
    let mut incoming: HashMap<ExecutionId, Vec<&Edge>> = HashMap::new();
    for edge in edges {
        let to = incoming.entry(edge.downstream_execution_id).or_default();
        to.push(edge);
    }
    let names: HashMap<ExecutionId, String> = members
        .iter()
        .map(|member| (member.execution.id, name(member)))
        .collect();
    let width = names.values().map(|name| name.chars().count());
    let width = width.max().unwrap_or_default();
    let mut lines = Vec::new();
    for (depth, level) in levels(members, edges).into_iter().enumerate() {
        if depth > 0 {
            lines.push(terminal.paint(Paint::Dim, "  │"));
        }
        for member in level {
            let id = member.execution.id;
            let state = member.execution.public_state;
            let paint = Paint::of_state(state);
            let mut line = format!(
                "{} {:width$}  {}",
                terminal.paint(paint, mark(state)),
                names[&id],
                terminal.paint(paint, state.as_str()),
            );
            if let Some(group) = &member.edge_group {
                line.push_str("  ");
                line.push_str(&terminal.paint(Paint::Dim, &counted(group)));
            }
            let into = incoming.get(&id).map_or(&[][..], Vec::as_slice);
            for edge in into.iter().take(EDGES_MAX) {
                line.push_str("  ");
                line.push_str(&arrow(terminal, edge, &names));
            }
            if let Some(more) = into.len().checked_sub(EDGES_MAX).filter(|more| *more > 0) {
                line.push_str(&format!("  and {more} more"));
            }
            lines.push(line);
        }
    }
    lines
}

/// Groups members by the longest way that leads to them. Edges to members that are not shown
/// count for nothing.
fn levels<'m>(members: &'m [FlowMember], edges: &[Edge]) -> Vec<Vec<&'m FlowMember>> {
    let mut depths: HashMap<ExecutionId, usize> =
        members.iter().map(|it| (it.execution.id, 0)).collect();
    // A way is as long as there are members at most.
    for _ in 0..members.len() {
        let mut changed = false;
        for edge in edges {
            let Some(above) = depths.get(&edge.upstream_execution_id).copied() else {
                continue;
            };
            if let Some(depth) = depths.get_mut(&edge.downstream_execution_id)
                && *depth <= above
            {
                *depth = above + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let mut levels: Vec<Vec<&FlowMember>> = Vec::new();
    for member in members {
        let depth = depths[&member.execution.id];
        if levels.len() <= depth {
            levels.resize_with(depth + 1, Vec::new);
        }
        levels[depth].push(member);
    }
    levels.retain(|level| !level.is_empty());
    levels
}

/// Returns the name of a member; one without is called by its kind and the end of its id.
fn name(member: &FlowMember) -> String {
    let called = match &member.name {
        Some(name) => name.clone(),
        None => {
            let id = member.execution.id.to_string();
            format!("{} …{}", member.execution.kind, &id[id.len() - 6..])
        }
    };
    let called = escape(&called);
    match called.chars().count() > NAME_MAX {
        true => called.chars().take(NAME_MAX - 1).chain(['…']).collect(),
        false => called,
    }
}

const fn mark(state: PublicState) -> &'static str {
    match state {
        PublicState::Completed => "●",
        PublicState::Active => "◐",
        PublicState::Failed | PublicState::Expired => "✗",
        PublicState::Cancelled => "⊘",
        PublicState::Skipped => "↷",
        PublicState::Suspended | PublicState::Delayed | PublicState::RateLimited => "◌",
        PublicState::Waiting | PublicState::Resumable | PublicState::WaitingChildren => "○",
    }
}

fn counted(group: &EdgeGroup) -> String {
    let needed = match group.policy {
        EdgeGroupPolicy::AllOf {} => group.total_deps,
        EdgeGroupPolicy::AnyOf { .. } => 1,
        EdgeGroupPolicy::Quorum { k, .. } => k,
    };
    let kind = match group.policy {
        EdgeGroupPolicy::AllOf {} => "all_of",
        EdgeGroupPolicy::AnyOf { .. } => "any_of",
        EdgeGroupPolicy::Quorum { .. } => "quorum",
    };
    format!("{kind} {}/{needed}", group.satisfied_count)
}

/// Shows an edge: its kind, its state and where it comes from.
fn arrow(terminal: Terminal, edge: &Edge, names: &HashMap<ExecutionId, String>) -> String {
    let (paint, state) = match edge.edge_state {
        EdgeState::Satisfied => (Paint::Green, "✓"),
        EdgeState::Impossible => (Paint::Red, "✗"),
        EdgeState::Pending => (Paint::Dim, "·"),
    };
    let kind = match edge.dependency_kind {
        EdgeKind::SuccessOnly => "←",
        EdgeKind::OnFailure => "←on_failure",
        EdgeKind::Always => "←always",
    };
    let from = match names.get(&edge.upstream_execution_id) {
        Some(name) => name.clone(),
        None => edge.upstream_execution_id.to_string(),
    };
    let passed = edge.data_passing_ref.as_deref();
    let passed = passed.filter(|passed| *passed != from);
    let passed = passed.map(|passed| format!(" as {}", escape(passed)));
    terminal.paint(
        paint,
        &format!("{kind} {state} {from}{}", passed.unwrap_or_default()),
    )
}
