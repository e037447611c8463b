//! What a file of a flow may hold: the tables by which it is read and its schema is printed.

use model::{EdgeKind, FlowCancellationPolicy, Limits, PRIORITY_MAX, patterns};

use crate::api::{EPOCH_MAX, MEMBER_NAME};

/// What a member of an object holds.
#[derive(Debug, Clone, Copy)]
pub enum Holds {
    /// A text of at most so many bytes that matches a pattern.
    Text(usize, &'static str),
    /// One of these words.
    Word(&'static str),
    /// A whole number of at most this.
    Whole(u64),
    /// Anything.
    Json,
    /// Labels.
    Labels,
    /// A mapping that the host checks.
    Object,
    /// How many of the edges into a member must be satisfied.
    Group,
    /// Ids of executions.
    Ids,
    /// New members: a mapping by their names, or a list.
    Members,
    /// Edges.
    Edges,
    /// Policies of members.
    Groups,
    /// What a member waits for.
    Needs,
}

/// A member of an object.
#[derive(Debug)]
pub struct Field {
    /// Its name in the file.
    pub name: &'static str,
    /// What its value must be.
    pub holds: Holds,
    /// What it means, for people.
    pub about: &'static str,
    /// Whether it must be there.
    pub required: bool,
}

const fn field(name: &'static str, holds: Holds, about: &'static str) -> Field {
    Field {
        name,
        holds,
        about,
        required: false,
    }
}

const fn required(name: &'static str, holds: Holds, about: &'static str) -> Field {
    Field {
        required: true,
        ..field(name, holds, about)
    }
}

const KIND: Holds = Holds::Text(Limits::KIND_BYTES_MAX, patterns::IDENTIFIER);
const MEMBER: Holds = Holds::Text(Limits::MEMBER_NAME_BYTES_MAX, MEMBER_NAME);
const ACTOR: Holds = Holds::Text(Limits::ACTOR_BYTES_MAX, patterns::STORABLE);
const FREE: Holds = Holds::Text(usize::MAX, patterns::STORABLE);
const EDGE_KIND: Holds = Holds::Word("EdgeKind");

/// A flow to create.
pub static FLOW: [Field; 10] = [
    required("kind", KIND, "What kind of flow it is"),
    field(
        "id",
        Holds::Text(36, patterns::UUID_V7),
        "An id of your choice",
    ),
    field(
        "namespace",
        Holds::Text(Limits::NAMESPACE_BYTES_MAX, patterns::IDENTIFIER),
        "Namespace of the flow and its members",
    ),
    field("creator", ACTOR, "Who creates it, for people"),
    field(
        "idempotency_key",
        Holds::Text(Limits::KEY_BYTES_MAX, patterns::STORABLE),
        "Makes it safe to submit the file again",
    ),
    field("tags", Holds::Labels, "Labels, owner.name to value"),
    field(
        "cancellation_policy",
        Holds::Word("FlowCancellationPolicy"),
        "Which members are cancelled with the flow",
    ),
    field(
        "members",
        Holds::Members,
        "The executions it begins with, by their names or in a list",
    ),
    field("edges", Holds::Edges, "What they wait for"),
    field(
        "groups",
        Holds::Groups,
        "Members that wait for less than everything before them",
    ),
];

/// What is added to a flow.
pub static GROWTH: [Field; 6] = [
    field(
        "expected_graph_revision",
        Holds::Whole(EPOCH_MAX),
        "Refused if the graph is at another revision",
    ),
    field(
        "members",
        Holds::Members,
        "New executions, by their names or in a list",
    ),
    field("added", Holds::Ids, "Ids of executions that exist"),
    field("edges", Holds::Edges, "Edges between members"),
    field(
        "groups",
        Holds::Groups,
        "Members that wait for less than everything before them",
    ),
    field("actor", ACTOR, "Who asks, for people"),
];

/// A new member.
pub static NEW_MEMBER: [Field; 17] = [
    required("kind", KIND, "Kind, which names the handler it needs"),
    field(
        "name",
        MEMBER,
        "Its name in the flow, where members are a list",
    ),
    field("input", Holds::Json, "The input, sent as JSON"),
    field("input_text", FREE, "The input, as text instead"),
    field(
        "input_base64",
        Holds::Text(usize::MAX, patterns::BASE64),
        "The input, as base64 instead",
    ),
    field(
        "input_file",
        FREE,
        "A file that is the input, beside this file",
    ),
    field(
        "content_type",
        Holds::Text(Limits::CONTENT_TYPE_BYTES_MAX, patterns::PRINTABLE),
        "Media type of the input",
    ),
    field(
        "lane",
        Holds::Text(Limits::LANE_BYTES_MAX, patterns::PRINTABLE),
        "Lane to queue it in",
    ),
    field(
        "priority",
        Holds::Whole(PRIORITY_MAX as u64),
        "A higher one is served first",
    ),
    field("tags", Holds::Labels, "Labels, owner.name to value"),
    field(
        "policy",
        Holds::Object,
        "Retries, time limits and requirements, as of any execution",
    ),
    field(
        "delay_ms",
        Holds::Whole(Limits::DURATION_MS_MAX),
        "Earliest start, in milliseconds from now",
    ),
    field("delay_until", FREE, "Earliest start, RFC 3339"),
    field(
        "deadline_at",
        FREE,
        "Time it expires unless it has ended, RFC 3339",
    ),
    field("creator", ACTOR, "Who creates it, for people"),
    field(
        "needs",
        Holds::Needs,
        "The members it waits for: names, or edges without downstream",
    ),
    field(
        "needs_policy",
        Holds::Group,
        "How many of them must end as asked; all when absent",
    ),
];

/// An edge.
pub static EDGE: [Field; 4] = [
    required(
        "upstream",
        MEMBER,
        "The member that is waited for: its name, or its id",
    ),
    required(
        "downstream",
        MEMBER,
        "The member that waits: its name, or its id",
    ),
    field(
        "dependency_kind",
        EDGE_KIND,
        "Which ends of the upstream member satisfy it",
    ),
    field(
        "data_passing_ref",
        MEMBER,
        "Name under which the result is read",
    ),
];

/// An edge to the member that has it among its needs.
pub static NEED: [Field; 3] = [
    required(
        "upstream",
        MEMBER,
        "The member that is waited for: its name, or its id",
    ),
    field(
        "dependency_kind",
        EDGE_KIND,
        "Which of its ends satisfy the edge",
    ),
    field(
        "data_passing_ref",
        MEMBER,
        "Name under which its result is read",
    ),
];

/// A policy of a member.
pub static GROUP: [Field; 2] = [
    required(
        "downstream",
        MEMBER,
        "The member that waits: its name, or its id",
    ),
    required(
        "policy",
        Holds::Group,
        "How many of the edges into it must be satisfied",
    ),
];

/// Returns the words of a type.
pub fn words(of: &str) -> Vec<&'static str> {
    match of {
        "EdgeKind" => EdgeKind::ALL.iter().map(|it| it.as_str()).collect(),
        _ => FlowCancellationPolicy::ALL
            .iter()
            .map(|it| it.as_str())
            .collect(),
    }
}
