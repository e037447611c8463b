//! What a request for a flow made before, by its key or its id.

use model::{ExecutionId, FlowId, FlowRefusal};
use sha2::{Digest as _, Sha256};

use crate::flow::request::{CreateFlow, FlowChanged, MemberMade};
use crate::row::{count, epoch};
use crate::{Declined, Engine, Error};

impl Engine {
    /// Returns what a request for a flow made before, by its key or its id.
    pub(super) async fn flow_made_before(
        &self,
        id: FlowId,
        create: &CreateFlow,
        digest: &[u8],
    ) -> Result<Option<FlowChanged>, Declined<FlowRefusal>> {
        let row = sqlx::query!(
            r#"SELECT id, namespace, request_digest, graph_revision, node_count, edge_count
               FROM flow
               WHERE partition = $1 AND id = $2
               UNION ALL
               SELECT id, namespace, request_digest, graph_revision, node_count, edge_count
               FROM flow
               WHERE partition = $1 AND namespace = $3 AND idempotency_key = $4
               LIMIT 1"#,
            id.partition().column(),
            id.uuid(),
            create.namespace,
            create.idempotency_key
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let (Some(found), Some(revision), Some(nodes), Some(edges)) =
            (row.id, row.graph_revision, row.node_count, row.edge_count)
        else {
            return Ok(None);
        };
        let same = row.request_digest.as_deref() == Some(digest)
            && row.namespace.as_deref() == Some(create.namespace.as_str());
        if !same {
            return Err(match &create.idempotency_key {
                Some(key) if found != id.uuid() => FlowRefusal::IdempotencyConflict {
                    what: format!("the idempotency key `{key}`"),
                    existing: found.to_string(),
                },
                _ => FlowRefusal::IdConflict(id.to_string()),
            }
            .into());
        }
        let names = create.graph.members.iter().filter_map(|it| it.name.clone());
        let members = self
            .members_named(FlowId::from_uuid(found), names.collect())
            .await?;
        Ok(Some(FlowChanged {
            id: FlowId::from_uuid(found),
            applied: false,
            graph_revision: epoch(revision),
            node_count: count(nodes),
            edge_count: count(edges),
            members,
            edges: Vec::new(),
        }))
    }

    /// Finds members by their names, in the order of the names.
    async fn members_named(
        &self,
        flow: FlowId,
        names: Vec<String>,
    ) -> Result<Vec<MemberMade>, Error> {
        let rows = sqlx::query!(
            r#"SELECT m.execution_id AS "execution_id!", i.name AS "name!"
               FROM unnest($3::text[]) WITH ORDINALITY AS i(name, number)
               CROSS JOIN LATERAL (
                   SELECT m.execution_id FROM flow_member m
                   WHERE m.partition = $1 AND m.flow_id = $2 AND m.name = i.name OFFSET 0
               ) AS m
               ORDER BY i.number"#,
            flow.partition().column(),
            flow.uuid(),
            &names
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let made = rows.into_iter().map(|row| MemberMade {
            id: ExecutionId::from_uuid(row.execution_id),
            name: Some(row.name),
            state: None,
        });
        Ok(made.collect())
    }
}

/// Two requests with one digest ask for the same flow.
pub(super) fn flow_digest(create: &CreateFlow) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(create.kind.as_bytes());
    part(create.cancellation_policy.as_str().as_bytes());
    for (key, value) in &create.tags {
        part(key.as_bytes());
        part(value.as_bytes());
    }
    for member in &create.graph.members {
        part(member.name.as_deref().unwrap_or_default().as_bytes());
        part(&crate::execution::request_digest(&member.create));
    }
    for edge in &create.graph.edges {
        part(edge.upstream.to_string().as_bytes());
        part(edge.downstream.to_string().as_bytes());
        part(edge.kind.as_str().as_bytes());
        part(
            edge.data_passing_ref
                .as_deref()
                .unwrap_or_default()
                .as_bytes(),
        );
    }
    for group in &create.graph.groups {
        part(group.downstream.to_string().as_bytes());
        part(format!("{:?}", group.policy).as_bytes());
    }
    hash.finalize()[..16].to_vec()
}
