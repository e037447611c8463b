//! Executions that a delivery dispatched directly: the leases under which idle workers
//! resume them.

use time::OffsetDateTime;
use uuid::Uuid;

use super::plan::WriteUnit;
use crate::lease::{Claimed, ClaimedRow, Resumption, claimed, payload, received};

/// A row of `deliver.sql`: a unit that was written. All but its number is absent unless its
/// execution was dispatched directly.
pub(super) struct WrittenRow {
    pub(super) number: i64,
    pub(super) execution_id: Option<Uuid>,
    pub(super) lease_id: Option<Uuid>,
    pub(super) epoch: Option<i64>,
    pub(super) attempt: Option<i32>,
    pub(super) expires_at: Option<OffsetDateTime>,
    pub(super) attempt_type: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) lane: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) creator: Option<String>,
    pub(super) flow_id: Option<Uuid>,
    pub(super) traceparent: Option<String>,
    pub(super) input: Option<Vec<u8>>,
    pub(super) input_type: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) attempt_timeout_ms: Option<i64>,
    pub(super) retries: Option<i32>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) closed_at: Option<OffsetDateTime>,
    pub(super) state: Option<Vec<u8>>,
    pub(super) state_type: Option<String>,
    pub(super) signal_ids: Option<Vec<Uuid>>,
    pub(super) waitpoint_ids: Option<Vec<Uuid>>,
    pub(super) waitpoint_keys: Option<Vec<String>>,
    pub(super) names: Option<Vec<String>>,
    pub(super) categories: Option<Vec<Option<String>>>,
    pub(super) source_types: Option<Vec<String>>,
    pub(super) source_identities: Option<Vec<String>>,
    pub(super) correlation_ids: Option<Vec<Option<String>>>,
    pub(super) payloads: Option<Vec<Option<Vec<u8>>>>,
    pub(super) payload_types: Option<Vec<Option<String>>>,
    pub(super) accepted: Option<Vec<OffsetDateTime>>,
}

impl WrittenRow {
    /// Returns the lease under which the execution of this unit was dispatched, as a claim
    /// would.
    pub(super) fn claimed(self, unit: &WriteUnit<'_>) -> Option<Claimed> {
        let end = unit.suspension_id.zip(unit.end.as_ref());
        let resumption = end.zip(self.closed_at).map(|((id, unit), closed_at)| {
            Box::new(Resumption {
                suspension_id: id,
                reason: unit.end.reason,
                closed_at,
                state: payload(self.state, self.state_type),
                signals: received!(self).collect(),
                signal_count: u32::try_from(unit.end.satisfiers.len()).unwrap_or(u32::MAX),
            })
        });
        let row = || {
            Some(ClaimedRow {
                execution_id: self.execution_id?,
                lease_id: self.lease_id?,
                epoch: self.epoch?,
                attempt: self.attempt?,
                expires_at: self.expires_at?,
                attempt_type: self.attempt_type?,
                resumes: true,
                namespace: self.namespace?,
                lane: self.lane?,
                kind: self.kind?,
                creator: self.creator,
                flow_id: self.flow_id,
                traceparent: self.traceparent,
                input: self.input?,
                input_type: self.input_type?,
                policy: self.policy,
                attempt_timeout_ms: self.attempt_timeout_ms,
                retries: self.retries?,
                tags: self.tags,
            })
        };
        let claimed = claimed(row().into_iter().collect()).pop();
        claimed.map(|claimed| Claimed {
            resumption,
            ..claimed
        })
    }
}
