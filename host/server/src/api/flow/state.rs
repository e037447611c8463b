//! A flow and the state it is in.

use std::collections::BTreeMap;

use model::{FlowCancellationPolicy, FlowId, FlowStatus, PublicFlowState};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use crate::api::answer::{answers, pages};

/// A flow, without its members and edges.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Flow {
    /// Id of the flow.
    #[schema(value_type = String)]
    pub flow_id: FlowId,
    /// What kind of flow it is.
    pub kind: String,
    /// Namespace of the flow and all its members.
    pub namespace: String,
    /// What follows from the states of its members now: `open`, `running`, `blocked`,
    /// `cancelled`, `completed` or `failed`.
    #[schema(value_type = String)]
    pub public_flow_state: PublicFlowState,
    /// What lists show and filter by: `active`, `completed`, `failed`, `cancelled`, or
    /// `unknown` to this version.
    #[schema(value_type = String)]
    pub status: FlowStatus,
    /// Grows by one with each member and each edge.
    pub graph_revision: u64,
    /// Number of members it has.
    pub node_count: u32,
    /// Number of edges it has.
    pub edge_count: u32,
    /// Time of its creation.
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    /// Time its graph last changed, or it took note of a member that ended.
    #[serde(with = "rfc3339")]
    pub last_mutation_at: OffsetDateTime,
    /// Time since which all members have ended; null while one has not.
    #[serde(with = "rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// Time it was cancelled; null if it was not.
    #[serde(with = "rfc3339::option")]
    pub cancelled_at: Option<OffsetDateTime>,
    /// Why it was cancelled; null when that was not said.
    pub cancel_reason: Option<String>,
    /// Which members a cancellation reaches that does not say, or did reach:
    /// `cancel_all`, `cancel_pending` or `cancel_flow_only`.
    #[schema(value_type = String)]
    pub cancellation_policy: FlowCancellationPolicy,
    /// Who cancelled it; null if it was not.
    pub cancelled_by: Option<String>,
    /// Who created it, as the creator said; null when that was not said.
    pub creator: Option<String>,
    /// Idempotency key it was created under; null without one.
    pub idempotency_key: Option<String>,
    /// Labels, `owner.name` to value.
    pub tags: BTreeMap<String, String>,
    /// Its members by their states, as they are now.
    pub counters: FlowCounters,
}

impl Flow {
    /// Shows a flow with the states of its members.
    pub fn new(info: engine::FlowInfo, counters: model::FlowCounters) -> Self {
        Self {
            public_flow_state: info.public_state(&counters),
            flow_id: info.id,
            kind: info.kind,
            namespace: info.namespace,
            status: info.status,
            graph_revision: info.graph_revision,
            node_count: info.node_count,
            edge_count: info.edge_count,
            created_at: info.created_at,
            last_mutation_at: info.last_mutation_at,
            ended_at: info.ended_at,
            cancelled_at: info.cancelled_at,
            cancel_reason: info.cancel_reason,
            cancellation_policy: info.cancellation_policy,
            cancelled_by: info.cancelled_by,
            creator: info.creator,
            idempotency_key: info.idempotency_key,
            tags: info.tags,
            counters: counters.into(),
        }
    }
}

answers! {
    /// A flow in a list.
    FlowSummary(flow: engine::FlowInfo) {
        /// Id of the flow.
        flow_id: FlowId as String = flow.id,
        /// Namespace of the flow and all its members.
        namespace: String,
        /// What kind of flow it is.
        kind: String,
        /// `active`, `completed`, `failed`, `cancelled`, or `unknown` to this version.
        status: FlowStatus as String,
        /// Number of members it has.
        node_count: u32,
        /// Number of edges it has.
        edge_count: u32,
        /// Number of members that have ended, as far as the flow has taken note of them.
        ended_count: u32,
        /// Number of them that failed, expired or were cancelled.
        bad_count: u32,
        /// Time of its creation.
        #[serde(with = "rfc3339")]
        created_at: OffsetDateTime,
        /// Time since which all members have ended; null while one has not.
        #[serde(with = "rfc3339::option")]
        ended_at: Option<OffsetDateTime>,
        /// Labels, `owner.name` to value.
        tags: BTreeMap<String, String>,
    }

    /// How many members of a flow are in each public state.
    FlowCounters(counters: model::FlowCounters) {
        /// Number of all its members.
        total: u32,
        /// Members whose state was read.
        sampled: u32,
        /// Members that ended with success.
        completed: u32,
        /// Members that ended as failed.
        failed: u32,
        /// Members that were cancelled.
        cancelled: u32,
        /// Members whose time limit passed.
        expired: u32,
        /// Members that were skipped, since what they waited for could not come true.
        skipped: u32,
        /// Members that run under a lease.
        active: u32,
        /// Members that wait for signals.
        suspended: u32,
        /// Members that wait for a worker.
        waiting: u32,
        /// Members that wait for a time.
        delayed: u32,
        /// Members that wait for a budget or a quota.
        rate_limited: u32,
        /// Members that wait for others.
        waiting_children: u32,
    }
}

pages! {
    /// A page of flows, the newest first.
    FlowSummaries of engine::FlowInfo {
        /// The flows of the page.
        flows: Vec<FlowSummary>, examined
    }
}
