//! Graphs of requests: members, edges and groups, as the engine is asked for them.

use axum::http::HeaderMap;
use engine::{Graph, MemberRef, NewEdge, NewGroup, NewMember};
use model::{ExecutionId, Invalid, Limits};

use crate::api::{CreateFlowMember, FlowEdge, FlowGroup};
use crate::http::access::Caller;
use crate::http::body::at_most;
use crate::http::executions::create::of_request;
use crate::http::problem::Problem;
use crate::http::transport::headers;

/// What a request adds to the graph of a flow.
pub struct Wanted {
    /// Executions to create in the flow.
    pub members: Vec<CreateFlowMember>,
    /// Executions that exist and join it.
    pub added: Vec<ExecutionId>,
    /// Edges between members, by name or id.
    pub edges: Vec<FlowEdge>,
    /// Policies of members that wait.
    pub groups: Vec<FlowGroup>,
}

impl Wanted {
    /// Returns what the engine is asked for, in the caller's name, with the trace context of
    /// the request.
    ///
    /// # Errors
    /// A member, an edge or a group cannot be read; the problem says which.
    pub fn asked_by(self, caller: &Caller, request: &HeaderMap) -> Result<Graph, Problem> {
        at_most("groups", self.groups.len(), Limits::FLOW_MEMBERS_MAX)?;
        let traceparent = headers::traceparent(request);
        let mut members = Vec::with_capacity(self.members.len());
        for (at, member) in self.members.into_iter().enumerate() {
            let (name, create) = member.split();
            let made = of_request(create).and_then(|wanted| wanted.in_flow_of(caller));
            let mut create = made.map_err(|problem| {
                let member = name.clone().unwrap_or_else(|| at.to_string());
                of_member(problem, &member)
            })?;
            create.traceparent.clone_from(&traceparent);
            members.push(NewMember { name, create });
        }
        let edges = self.edges.into_iter().map(|edge| {
            Ok(NewEdge {
                upstream: MemberRef::parse("upstream", &edge.upstream)?,
                downstream: MemberRef::parse("downstream", &edge.downstream)?,
                kind: edge.dependency_kind,
                data_passing_ref: edge.data_passing_ref,
            })
        });
        let edges = edges.collect::<Result<_, Invalid>>()?;
        let groups = self.groups.into_iter().map(|group| {
            Ok(NewGroup {
                downstream: MemberRef::parse("downstream", &group.downstream)?,
                policy: group.policy.into(),
            })
        });
        Ok(Graph {
            members,
            added: self.added,
            edges,
            groups: groups.collect::<Result<_, Invalid>>()?,
        })
    }
}

/// Says which member a problem is about, as the refusals of the engine do.
fn of_member(problem: Problem, member: &str) -> Problem {
    let detail = format!("member {}: {}", model::quoted(member), problem.detail);
    let extra = problem.extra.into_iter();
    let said = Problem::new(problem.code, detail);
    extra
        .fold(said, |said, (name, value)| said.with(&name, value))
        .with("member", member)
}
