//! What a lease comes with: everything its attempt needs.

use std::sync::Arc;

use model::{AttemptType, ExecutionId, ExecutionPolicy, Fence, FlowId, LeaseId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Payload;
use super::row::{count, epoch, label, readable};
use crate::Error;
use crate::suspension::Resumption;

/// An execution under a lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// What every write must carry.
    pub fence: Fence,
    /// When the lease ends, unless renewed.
    pub lease_expires_at: OffsetDateTime,
    /// Where it lives.
    pub namespace: String,
    /// What it is.
    pub kind: String,
    /// Where it was claimed from.
    pub lane: String,
    /// Flow it is a member of.
    pub flow_id: Option<FlowId>,
    /// W3C trace context of whoever created it.
    pub traceparent: Option<String>,
    /// Why this attempt exists.
    pub attempt_type: AttemptType,
    /// Whether this lease goes on with an attempt that was put down.
    pub resumes: bool,
    /// What the handler gets.
    pub input: Payload,
    /// Labels, ordered by key.
    pub tags: Vec<(String, String)>,
    /// Longest the attempt may run.
    pub attempt_timeout_ms: Option<u64>,
    /// The frozen policy.
    pub policy: Arc<ExecutionPolicy>,
    /// Failures so far.
    pub retries: u32,
    /// What the handler goes on with, if it was suspended before.
    pub resumption: Option<Box<Resumption>>,
}

/// An execution under a lease, as statements that grant or find leases answer it.
pub(crate) struct ClaimedRow {
    pub(crate) execution_id: Uuid,
    pub(crate) lease_id: Uuid,
    pub(crate) epoch: i64,
    pub(crate) attempt: i32,
    pub(crate) expires_at: OffsetDateTime,
    pub(crate) attempt_type: String,
    pub(crate) resumes: bool,
    pub(crate) namespace: String,
    pub(crate) lane: String,
    pub(crate) kind: String,
    pub(crate) flow_id: Option<Uuid>,
    pub(crate) traceparent: Option<String>,
    pub(crate) input: Vec<u8>,
    pub(crate) input_type: String,
    pub(crate) policy: Option<String>,
    pub(crate) attempt_timeout_ms: Option<i64>,
    pub(crate) retries: i32,
    pub(crate) tags: Option<Vec<String>>,
}

/// Reads what leases come with, but for what their handlers go on with. The lease of an
/// execution that cannot be read, such as one with a policy of a later version, is left
/// to lapse.
pub(crate) fn claimed(rows: Vec<ClaimedRow>) -> Vec<Claimed> {
    let standard = Arc::new(ExecutionPolicy::default());
    rows.into_iter()
        .map(|row| -> Result<Claimed, Error> {
            let id = row.execution_id;
            let policy = match &row.policy {
                None => Arc::clone(&standard),
                Some(text) => Arc::new(policy(id, text)?),
            };
            let flat = row.tags.unwrap_or_default();
            Ok(Claimed {
                fence: Fence {
                    execution_id: ExecutionId::from_uuid(id),
                    lease_id: LeaseId(row.lease_id),
                    epoch: epoch(row.epoch),
                    attempt: count(row.attempt),
                },
                lease_expires_at: row.expires_at,
                namespace: row.namespace,
                kind: row.kind,
                lane: row.lane,
                flow_id: row.flow_id.map(FlowId::from_uuid),
                traceparent: row.traceparent,
                attempt_type: label("ready", "next_type", id, &row.attempt_type)?,
                resumes: row.resumes,
                input: Payload::new(row.input_type, row.input),
                tags: flat
                    .chunks_exact(2)
                    .map(|pair| (pair[0].clone(), pair[1].clone()))
                    .collect(),
                attempt_timeout_ms: row.attempt_timeout_ms.map(|ms| ms.unsigned_abs()),
                policy,
                retries: count(row.retries),
                resumption: None,
            })
        })
        .filter_map(readable)
        .collect()
}

/// Reads a frozen policy.
pub(crate) fn policy(id: Uuid, text: &str) -> Result<ExecutionPolicy, Error> {
    serde_json::from_str(text).map_err(|error| Error::corrupt("execution", "policy", id, error))
}
