//! What a puppet does with flows.

use serde::Deserialize;

use super::Text;
use crate::flowhost::engine::claim::Lease;
use crate::flowhost::engine::executions::Request;
use crate::flowhost::engine::flows::{
    self, CancellationPolicy, DependencyKind, DependencyPolicy, Edge, Graph, NewFlow, OnSatisfied,
    Quorum, WaitFor,
};
use crate::flowhost::engine::types::Payload;

/// A member: its name, its kind, its input.
#[derive(Deserialize)]
pub struct Member(Option<Text>, Text, Text);

/// An edge: upstream, downstream, what it waits for, the name of what it passes.
#[derive(Deserialize)]
pub struct Joint(
    Text,
    Text,
    #[serde(default)] Option<Kind>,
    #[serde(default)] Option<Text>,
);

/// Which ends count.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    SuccessOnly,
    OnFailure,
    Always,
}

/// How many have to.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    AllOf,
    AnyOf,
    AnyOfCancel,
    Quorum(u32),
}

/// A graph.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drawn {
    members: Vec<Member>,
    /// So many more members of the kind `echo`, called `m0` and so on, with this input.
    many: Option<(u32, Text)>,
    executions: Vec<Text>,
    edges: Vec<Joint>,
    policies: Vec<(Text, Policy)>,
    /// A key that is set with the request of the first member.
    member_key: Option<Text>,
}

/// A flow.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    kind: Text,
    #[serde(default)]
    key: Option<Text>,
    #[serde(default)]
    tags: Vec<(Text, Text)>,
    #[serde(default)]
    cancel: Option<Cancel>,
    #[serde(default)]
    graph: Drawn,
    /// Whether it is created twice with the same handle.
    #[serde(default)]
    twice: bool,
}

/// Which members a cancellation reaches.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancel {
    CancelAll,
    CancelPending,
    CancelFlowOnly,
}

/// A thing to do with flows.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowAct {
    /// Starts children.
    Start(Drawn),
    /// Waits for children: which, how many, which ends count.
    Wait(Option<Vec<Text>>, Policy, Option<Kind>),
    /// Lists its children.
    Children,
    /// Reads the results of its children, in their order.
    Results,
    /// Lists its inputs.
    Inputs,
    /// Reads an input.
    ReadInput(Text),
    /// Creates a flow.
    Create(Whole),
    /// Adds to a flow at a revision.
    Grow(Text, Option<u32>, Drawn),
    /// Describes a flow.
    Describe(Text),
    /// Lists members of a flow.
    Members(Text, Option<Text>, u32),
    /// Sets labels of a flow.
    Label(Text, Vec<(Text, Option<Text>)>),
    /// Cancels a flow: policy, reason.
    Cancel(Text, Option<Cancel>, Text),
}

impl Drawn {
    fn graph(&self) -> Graph {
        let graph = Graph::new();
        let request = |kind: &str, input: &Text| {
            let data = input.text().into_bytes();
            let content_type = String::new();
            Request::new(kind, &Payload { content_type, data })
        };
        for (number, Member(name, kind, input)) in self.members.iter().enumerate() {
            let request = request(&kind.text(), input);
            if let (0, Some(key)) = (number, &self.member_key) {
                request.set_idempotency_key(&key.text());
            }
            let name = name.as_ref().map(Text::text);
            graph.add_member(name.as_deref(), request);
        }
        if let Some((many, input)) = &self.many {
            for number in 0..*many {
                graph.add_member(Some(&format!("m{number}")), request("echo", input));
            }
        }
        for id in &self.executions {
            graph.add_execution(&id.text());
        }
        for Joint(upstream, downstream, kind, data_passing_ref) in &self.edges {
            graph.add_edge(&Edge {
                upstream: upstream.text(),
                downstream: downstream.text(),
                kind: kind.map_or(DependencyKind::SuccessOnly, Kind::of),
                data_passing_ref: data_passing_ref.as_ref().map(Text::text),
            });
        }
        for (downstream, policy) in &self.policies {
            graph.set_policy(&downstream.text(), policy.of());
        }
        graph
    }
}

impl Kind {
    fn of(self) -> DependencyKind {
        match self {
            Self::SuccessOnly => DependencyKind::SuccessOnly,
            Self::OnFailure => DependencyKind::OnFailure,
            Self::Always => DependencyKind::Always,
        }
    }
}

impl Policy {
    fn of(self) -> DependencyPolicy {
        match self {
            Self::AllOf => DependencyPolicy::AllOf,
            Self::AnyOf => DependencyPolicy::AnyOf(OnSatisfied::LetRun),
            Self::AnyOfCancel => DependencyPolicy::AnyOf(OnSatisfied::CancelRemaining),
            Self::Quorum(k) => DependencyPolicy::Quorum(Quorum {
                k,
                on_satisfied: OnSatisfied::LetRun,
            }),
        }
    }
}

impl Cancel {
    fn of(self) -> CancellationPolicy {
        match self {
            Self::CancelAll => CancellationPolicy::CancelAll,
            Self::CancelPending => CancellationPolicy::CancelPending,
            Self::CancelFlowOnly => CancellationPolicy::CancelFlowOnly,
        }
    }
}

impl Whole {
    fn create(&self) -> String {
        let flow = NewFlow::new(&self.kind.text());
        if let Some(key) = &self.key {
            flow.set_idempotency_key(&key.text());
        }
        for (key, value) in &self.tags {
            flow.set_tag(&key.text(), &value.text());
        }
        if let Some(policy) = self.cancel {
            flow.set_cancellation_policy(policy.of());
        }
        if self.twice {
            let _ = flow.create(self.graph.graph());
        }
        format!("{:?}", flow.create(self.graph.graph()))
    }
}

impl FlowAct {
    /// Does it, and returns what it was answered.
    pub fn perform(&self, lease: &Lease) -> String {
        match self {
            Self::Start(graph) => format!("{:?}", flows::start_children(lease, graph.graph())),
            Self::Wait(children, policy, kind) => {
                let named = |children: &Vec<Text>| children.iter().map(Text::text).collect();
                let wait = WaitFor {
                    children: children.as_ref().map(named),
                    policy: policy.of(),
                    kind: kind.map(Kind::of),
                };
                format!("{:?}", flows::wait_children(lease, &wait))
            }
            Self::Children => match flows::children(lease) {
                Ok(children) => {
                    let shown = children.iter().map(|child| {
                        let failure = child.failure.as_ref().map(|failure| &failure.code);
                        format!("{:?}={:?}{failure:?}", child.name, child.outcome)
                    });
                    shown.collect::<Vec<_>>().join(" ")
                }
                Err(refusal) => format!("{refusal:?}"),
            },
            Self::Results => match flows::children(lease) {
                Ok(children) => {
                    let read = children.iter().map(|child| {
                        let result = crate::flowhost::engine::executions::result(&child.id);
                        result.map_or_else(
                            |refusal| format!("{refusal:?}"),
                            |it| String::from_utf8_lossy(&it.data).into_owned(),
                        )
                    });
                    read.collect::<Vec<_>>().join(" ")
                }
                Err(refusal) => format!("{refusal:?}"),
            },
            Self::Inputs => format!("{:?}", flows::inputs(lease)),
            Self::ReadInput(name) => match flows::read_input(lease, &name.text()) {
                Ok(Some(it)) => format!("{:?}", String::from_utf8_lossy(&it.data)),
                other => format!("{other:?}"),
            },
            Self::Create(flow) => flow.create(),
            Self::Grow(id, revision, graph) => {
                format!("{:?}", flows::grow(&id.text(), *revision, graph.graph()))
            }
            Self::Describe(id) => format!("{:?}", flows::describe(&id.text())),
            Self::Members(id, after, max) => {
                let after = after.as_ref().map(Text::text);
                format!("{:?}", flows::members(&id.text(), after.as_deref(), *max))
            }
            Self::Label(id, labels) => {
                let labels: Vec<_> = labels
                    .iter()
                    .map(|(key, value)| (key.text(), value.as_ref().map(Text::text)))
                    .collect();
                format!("{:?}", flows::set_tags(&id.text(), &labels))
            }
            Self::Cancel(id, policy, reason) => {
                let policy = policy.map(Cancel::of);
                format!("{:?}", flows::cancel(&id.text(), policy, &reason.text()))
            }
        }
    }
}
