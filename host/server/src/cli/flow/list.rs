//! `flowhost flow list`, `members` and `edges`.

use super::command::{EdgesArgs, ListArgs, MembersArgs};
use super::draw::of_status;
use crate::api::{Edge, Edges, FlowMember, FlowMembers, FlowSummaries, FlowSummary};
use crate::cli::execution::filter::tag_query;
use crate::cli::io::{Context, Exit, Failure, Paint, escape, format_time};

pub(super) async fn list(context: &Context, args: ListArgs) -> Result<Exit, Failure> {
    let mut query = Vec::new();
    for (name, value) in [
        ("namespace", context.namespace(args.namespace)),
        ("kind", args.kind),
        ("status", args.status.map(|it| it.to_string())),
    ] {
        query.extend(value.map(|value| (name, value)));
    }
    if let Some(tag) = &args.tag {
        query.push(tag_query(tag)?);
    }
    let header = [
        "ID",
        "NAMESPACE",
        "KIND",
        "STATUS",
        "ENDED",
        "MEMBERS",
        "EDGES",
        "CREATED",
    ];
    let show = |page: &FlowSummaries| context.rows(&page.flows, "no flows", &header, flow);
    args.page.show(context, "/v1/flows", query, "", show).await
}

fn flow(flow: &FlowSummary) -> Vec<(Paint, String)> {
    let ended = match flow.bad_count {
        0 => flow.ended_count.to_string(),
        bad => format!("{} ({bad} badly)", flow.ended_count),
    };
    vec![
        (Paint::Bold, flow.flow_id.to_string()),
        (Paint::Plain, escape(&flow.namespace)),
        (Paint::Plain, escape(&flow.kind)),
        (of_status(flow.status), flow.status.to_string()),
        (Paint::Plain, ended),
        (Paint::Plain, flow.node_count.to_string()),
        (Paint::Plain, flow.edge_count.to_string()),
        (Paint::Dim, format_time(flow.created_at)),
    ]
}

pub(super) async fn members(context: &Context, args: MembersArgs) -> Result<Exit, Failure> {
    let query = args.flow.query(context);
    let header = ["NAME", "KIND", "STATE", "GROUP", "ID"];
    let show = |page: &FlowMembers| context.rows(&page.members, "no members", &header, member);
    let path = args.flow.path("/members");
    args.page.show(context, &path, query, "", show).await
}

fn member(member: &FlowMember) -> Vec<(Paint, String)> {
    let state = member.execution.public_state;
    let group = member.edge_group.as_ref().map(|group| {
        format!(
            "{} {}/{}",
            group.group_state, group.satisfied_count, group.total_deps
        )
    });
    let name = member.name.as_deref().unwrap_or("-");
    vec![
        (Paint::Bold, escape(name)),
        (Paint::Plain, escape(&member.execution.kind)),
        (Paint::of_state(state), state.to_string()),
        (Paint::Plain, group.unwrap_or_else(|| "-".to_owned())),
        (Paint::Dim, member.execution.id.to_string()),
    ]
}

pub(super) async fn edges(context: &Context, args: EdgesArgs) -> Result<Exit, Failure> {
    let mut query = args.flow.query(context);
    for (name, id) in [("upstream", args.upstream), ("downstream", args.downstream)] {
        query.extend(id.map(|id| (name, id.to_string())));
    }
    let header = ["UPSTREAM", "DOWNSTREAM", "KIND", "STATE", "PASSED AS", "ID"];
    let show = |page: &Edges| context.rows(&page.edges, "no edges", &header, edge);
    let path = args.flow.path("/edges");
    args.page.show(context, &path, query, "", show).await
}

fn edge(edge: &Edge) -> Vec<(Paint, String)> {
    let passed = edge.data_passing_ref.as_deref().unwrap_or("-");
    vec![
        (Paint::Plain, edge.upstream_execution_id.to_string()),
        (Paint::Plain, edge.downstream_execution_id.to_string()),
        (Paint::Plain, edge.dependency_kind.to_string()),
        (Paint::Plain, edge.edge_state.to_string()),
        (Paint::Plain, escape(passed)),
        (Paint::Dim, edge.edge_id.to_string()),
    ]
}
