//! Reads: one flow, its counters, lists of flows.

use std::collections::{BTreeMap, HashMap};

use model::{
    FlowCancellationPolicy, FlowCounters, FlowId, FlowStatus, Limits, PublicFlowState, PublicState,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::row::{Seen, count, epoch, label, optional_label, tags};
use crate::{Engine, Error, Page};

/// A flow as callers see it, without its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowInfo {
    /// The id it was given when it was created.
    pub id: FlowId,
    /// The namespace of the flow and all its members.
    pub namespace: String,
    /// What kind of flow it is.
    pub kind: String,
    /// The caller who created it, as they named themselves.
    pub creator: Option<String>,
    /// The idempotency key it was created under.
    pub idempotency_key: Option<String>,
    /// Labels by key, as they are now.
    pub tags: BTreeMap<String, String>,
    /// Whether its members have ended, and how.
    pub status: FlowStatus,
    /// Grows by one with each member and each edge.
    pub graph_revision: u64,
    /// How many members it has.
    pub node_count: u32,
    /// How many edges it has.
    pub edge_count: u32,
    /// How many members have ended, as far as the flow has taken note of them.
    pub ended_count: u32,
    /// How many of them failed, expired or were cancelled.
    pub bad_count: u32,
    /// When it was created, by the database's clock.
    pub created_at: OffsetDateTime,
    /// When its graph last changed, or it took note of a member that ended.
    pub last_mutation_at: OffsetDateTime,
    /// Since when all members have ended; absent while one has not.
    pub ended_at: Option<OffsetDateTime>,
    /// Of the cancellation, if it was cancelled; otherwise of one that names none.
    pub cancellation_policy: FlowCancellationPolicy,
    /// When it was cancelled; absent if it was not.
    pub cancelled_at: Option<OffsetDateTime>,
    /// Why it was cancelled, as the one who did gave it.
    pub cancel_reason: Option<String>,
    /// Who cancelled it; absent if it was not.
    pub cancelled_by: Option<String>,
}

impl FlowInfo {
    /// Returns the state that follows from the states of its members.
    pub fn public_state(&self, counters: &FlowCounters) -> PublicFlowState {
        match self.cancelled_at {
            Some(_) => PublicFlowState::Cancelled,
            None => counters.state(),
        }
    }
}

/// Which flows a list has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlowFilter {
    /// Of this namespace alone; of all when absent.
    pub namespace: Option<String>,
    /// Of this kind alone; of all when absent.
    pub kind: Option<String>,
    /// With this status alone; with any when absent.
    pub status: Option<FlowStatus>,
    /// With this label and value.
    pub tag: Option<(String, String)>,
}

impl Engine {
    /// Reads one flow; `None` if the namespace has no such flow.
    pub async fn flow(
        &self,
        id: FlowId,
        namespace: Option<&str>,
    ) -> Result<Option<FlowInfo>, Error> {
        let found = self.flows_by_id(&[id]).await?.remove(&id).transpose()?;
        Ok(found.filter(|flow| namespace.is_none_or(|name| flow.namespace == name)))
    }

    /// Counts the members of a flow by their states, as they are now.
    pub async fn flow_counters(&self, id: FlowId) -> Result<FlowCounters, Error> {
        let rows = sqlx::query_file!(
            "src/flow/read/counters.sql",
            id.partition().column(),
            id.uuid()
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let mut counters = FlowCounters::default();
        for row in rows {
            let state: PublicState = label("parked", "state", id, &row.state)?;
            let members = u32::try_from(row.members).unwrap_or(u32::MAX);
            counters.add(state, members);
        }
        counters.total = counters.sampled;
        Ok(counters)
    }

    /// Lists flows, newest first, those before a given one. A page is short if no more
    /// follow, or if there were so few among [`Limits::WALKED_MAX`]: see [`Page::examined`].
    pub async fn flows(
        &self,
        filter: &FlowFilter,
        after: Option<FlowId>,
        limit: u32,
    ) -> Result<Page<FlowInfo, FlowId>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let after = after.map(FlowId::uuid);
        let (key, value) = filter.tag.clone().unzip();
        let status = filter.status.map(FlowStatus::as_str);
        let walked = Limits::WALKED_MAX as i64;
        let found: Vec<(Uuid, i64, bool)> = match &filter.namespace {
            Some(namespace) => sqlx::query_file!(
                "src/flow/read/newest_within.sql",
                namespace,
                after,
                walked,
                filter.kind,
                status,
                key,
                value
            )
            .fetch_all(&self.inner.reads)
            .await?
            .into_iter()
            .map(|row| (row.id, row.number, row.holds))
            .collect(),
            None => sqlx::query_file!(
                "src/flow/read/newest.sql",
                &self.partition_columns(),
                after,
                walked,
                filter.kind,
                status,
                key,
                value
            )
            .fetch_all(&self.inner.reads)
            .await?
            .into_iter()
            .map(|row| (row.id, row.number, row.holds))
            .collect(),
        };
        let held = found.iter().filter(|(.., holds)| *holds);
        let ids: Vec<FlowId> = held
            .take(limit as usize + 1)
            .map(|(id, ..)| FlowId::from_uuid(*id))
            .collect();
        let mut flows = self.flows_by_id(&ids).await?;
        Page::walked(
            limit,
            found.into_iter().map(|(id, number, holds)| {
                let id = FlowId::from_uuid(id);
                let flow = flows.remove(&id);
                // One that was removed in between is where the search stands, and no more.
                let holds = holds && flow.is_some();
                let read =
                    move || flow.unwrap_or_else(|| Err(Error::corrupt("flow", "id", id, "absent")));
                (id, Seen { holds, number }, read)
            }),
        )
    }

    /// Reads flows by their ids, or says why this version cannot show one.
    async fn flows_by_id(
        &self,
        ids: &[FlowId],
    ) -> Result<HashMap<FlowId, Result<FlowInfo, Error>>, Error> {
        let partitions: Vec<i16> = ids.iter().map(|id| id.partition().column()).collect();
        let uuids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let rows = sqlx::query_file!("src/flow/read/flow.sql", &partitions, &uuids)
            .fetch_all(&self.inner.reads)
            .await?;
        let flows = rows.into_iter().map(|row| {
            let id = FlowId::from_uuid(row.id);
            let read = || {
                let default = label("flow", "default_policy", id, &row.default_policy)?;
                let cancelled = optional_label("flow", "cancel_policy", id, row.cancel_policy)?;
                let members = count(row.node_count);
                let (ended, bad) = (count(row.ended_count), count(row.bad_count));
                Ok(FlowInfo {
                    id,
                    namespace: row.namespace,
                    kind: row.kind,
                    creator: row.creator,
                    idempotency_key: row.idempotency_key,
                    tags: tags(row.tags),
                    status: FlowStatus::of(row.cancelled_at.is_some(), members, ended, bad),
                    graph_revision: epoch(row.graph_revision),
                    node_count: members,
                    edge_count: count(row.edge_count),
                    ended_count: ended,
                    bad_count: bad,
                    created_at: row.created_at,
                    last_mutation_at: row.changed_at,
                    ended_at: row.ended_at,
                    cancellation_policy: cancelled.unwrap_or(default),
                    cancelled_at: row.cancelled_at,
                    cancel_reason: row.cancel_reason.filter(|reason| !reason.is_empty()),
                    cancelled_by: row.cancelled_by,
                })
            };
            (id, read())
        });
        Ok(flows.collect())
    }
}
