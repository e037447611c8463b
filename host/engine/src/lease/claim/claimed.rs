//! What a lease comes with: everything its attempt needs.

use std::sync::Arc;

use model::{AttemptType, ExecutionPolicy, Fence, FlowId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::resumption::Resumption;
use crate::Error;
use crate::checks::Payload;
use crate::row::{count, fence, label, policy, readable, tags};

/// An execution under a lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// What every write of the holder must carry.
    pub fence: Fence,
    /// When the lease expires, unless it is renewed.
    pub lease_expires_at: OffsetDateTime,
    /// The namespace the execution belongs to.
    pub namespace: String,
    /// The kind of handler it needs.
    pub kind: String,
    /// The lane it was claimed from.
    pub lane: String,
    /// Who created it; absent if they did not say.
    pub creator: Option<String>,
    /// The flow it is a member of.
    pub flow_id: Option<FlowId>,
    /// W3C trace context of the request that created it.
    pub traceparent: Option<String>,
    /// Why this attempt exists.
    pub attempt_type: AttemptType,
    /// Whether this lease resumes an attempt that was delayed or suspended.
    pub resumes: bool,
    /// What the handler is given.
    pub input: Payload,
    /// Keys and values, ordered by key.
    pub tags: Vec<(String, String)>,
    /// How long the attempt may run under this lease, in milliseconds; absent: no limit.
    pub attempt_timeout_ms: Option<u64>,
    /// The frozen policy of the execution.
    pub policy: Arc<ExecutionPolicy>,
    /// How often a failure led to another attempt so far.
    pub retries: u32,
    /// What the handler resumes with, if the execution was suspended before.
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
    pub(crate) creator: Option<String>,
    pub(crate) flow_id: Option<Uuid>,
    pub(crate) traceparent: Option<String>,
    pub(crate) input: Vec<u8>,
    pub(crate) input_type: String,
    pub(crate) policy: Option<String>,
    pub(crate) attempt_timeout_ms: Option<i64>,
    pub(crate) retries: i32,
    pub(crate) tags: Option<Vec<String>>,
}

/// Reads executions under their leases, without their resumptions. The lease of an
/// execution that cannot be read, such as one with a policy of a later version, is left
/// to expire.
pub(crate) fn claimed(rows: Vec<ClaimedRow>) -> Vec<Claimed> {
    let standard = Arc::new(ExecutionPolicy::default());
    rows.into_iter()
        .map(|row| -> Result<Claimed, Error> {
            let id = row.execution_id;
            let policy = match &row.policy {
                None => Arc::clone(&standard),
                Some(text) => Arc::new(policy(id, Some(text))?),
            };
            Ok(Claimed {
                fence: fence(id, row.lease_id, row.epoch, row.attempt),
                lease_expires_at: row.expires_at,
                namespace: row.namespace,
                kind: row.kind,
                lane: row.lane,
                creator: row.creator,
                flow_id: row.flow_id.map(FlowId::from_uuid),
                traceparent: row.traceparent,
                attempt_type: label("ready", "next_type", id, &row.attempt_type)?,
                resumes: row.resumes,
                input: Payload::new(row.input_type, row.input),
                tags: tags(row.tags),
                attempt_timeout_ms: row.attempt_timeout_ms.map(|ms| ms.unsigned_abs()),
                policy,
                retries: count(row.retries),
                resumption: None,
            })
        })
        .filter_map(readable)
        .collect()
}
