//! What can be checked of a request without reading anything.

use model::{FlowRefusal, Invalid, Limits, ensure};

use crate::checks::text;
use crate::flow::request::{CreateFlow, Graph, NewMember};

/// Checks what is said of a new flow itself.
pub(super) fn check_flow(create: &CreateFlow) -> Result<(), Invalid> {
    model::namespace_name(&create.namespace)?;
    model::kind_name(&create.kind)?;
    text(
        "creator",
        create.creator.as_deref().unwrap_or_default(),
        Limits::ACTOR_BYTES_MAX,
    )?;
    if let Some(key) = &create.idempotency_key {
        model::idempotency_key(key)?;
    }
    crate::checks::tags(&create.tags)?;
    let adds = create.graph.added.len();
    ensure(
        "added",
        adds == 0,
        || "names executions that exist; add them to the flow once it is there",
    )
}

/// Refuses what a member cannot have of its own.
pub(super) fn check_member(member: &NewMember) -> Result<(), Invalid> {
    let create = &member.create;
    ensure(
        "id",
        create.id.is_none(),
        || "is made by the flow; give the member a name instead",
    )?;
    ensure(
        "idempotency_key",
        create.idempotency_key.is_none(),
        || "a member is recognized by its name in the flow; give that instead",
    )?;
    ensure(
        "policy.retention_ms",
        create.policy.retention_ms.is_none(),
        || "a member is kept as long as its flow; leave it out",
    )
}

/// Checks what can be checked of a graph without reading anything.
pub(super) fn check_graph(graph: &Graph) -> Result<(), FlowRefusal> {
    for (what, given, max) in [
        ("members", graph.members.len(), Limits::FLOW_MEMBERS_MAX),
        ("members", graph.added.len(), Limits::FLOW_MEMBERS_MAX),
        ("edges", graph.edges.len(), Limits::FLOW_EDGES_MAX),
    ] {
        if given > max {
            return Err(FlowRefusal::TooLarge { what, given, max });
        }
    }
    let inputs = graph.members.iter().map(|it| it.create.input.data.len());
    let (bytes, max) = (inputs.sum::<usize>(), Limits::FLOW_INPUT_BYTES_MAX);
    ensure("members", bytes <= max, || {
        format!("their inputs have {bytes} bytes together; at most {max} are accepted at once")
    })?;
    for edge in &graph.edges {
        if let Some(name) = &edge.data_passing_ref {
            model::member_name("data_passing_ref", name)?;
        }
    }
    Ok(())
}
