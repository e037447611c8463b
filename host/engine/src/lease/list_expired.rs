//! Leases that have expired and were not reclaimed yet: an operator's view of what the
//! sweep will find next.

use model::{ExecutionId, LeaseId, Limits};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::row::{Seen, StoredTime, count, epoch, optional_time};
use crate::{Engine, Error, Page};

/// A held lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSummary {
    /// The id of this lease alone.
    pub lease_id: LeaseId,
    /// Grows with every lease of the execution.
    pub epoch: u64,
    /// The worker instance that holds it.
    pub worker_instance_id: String,
    /// The attempt that runs under it, from zero.
    pub attempt: u32,
    /// When the worker got it.
    pub acquired_at: OffsetDateTime,
    /// When it expires, unless it is renewed.
    pub expires_at: OffsetDateTime,
    /// How often it was renewed.
    pub renewals: u32,
    /// When it was last renewed, by the database's clock; absent before the first
    /// renewal.
    pub last_heartbeat_at: Option<OffsetDateTime>,
}

/// A lease that has expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiredLease {
    /// The execution that runs under it.
    pub execution_id: ExecutionId,
    /// The namespace of that execution.
    pub namespace: String,
    /// The lease as it was last renewed.
    pub lease: LeaseSummary,
}

impl Engine {
    /// Lists expired leases in the order of their partitions and executions. The next page
    /// begins after the last one's execution. A page is short if no more follow, or if there
    /// were so few among [`Limits::WALKED_MAX`] leases: see [`Page::examined`].
    pub async fn list_expired_leases(
        &self,
        namespace: Option<&str>,
        after: Option<ExecutionId>,
        limit: u32,
    ) -> Result<Page<ExpiredLease, ExecutionId>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        // No partition is before zero, and no id before the least.
        let after_partition = after.map_or(-1, |after| after.partition().column());
        let after_id = after.map_or(Uuid::nil(), ExecutionId::uuid);
        let rows = sqlx::query_file!(
            "src/lease/list_expired.sql",
            namespace,
            after_partition,
            after_id,
            i64::from(limit) + 1,
            Limits::WALKED_MAX as i64,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Page::walked(
            limit,
            rows.into_iter().map(|row| {
                let id = ExecutionId::from_uuid(row.execution_id);
                let seen = Seen {
                    holds: row.holds,
                    number: row.number,
                };
                let read = move || {
                    Ok(ExpiredLease {
                        execution_id: id,
                        namespace: row.namespace,
                        lease: LeaseSummary {
                            lease_id: LeaseId(row.lease_id),
                            epoch: epoch(row.epoch),
                            worker_instance_id: row.worker_instance_id,
                            attempt: count(row.attempt),
                            acquired_at: row.acquired_at.read("lease", "acquired_at", id)?,
                            expires_at: row.expires_at.read("lease", "expires_at", id)?,
                            renewals: count(row.renewals),
                            last_heartbeat_at: optional_time(
                                "lease",
                                "renewed_at",
                                id,
                                row.renewed_at,
                            )?,
                        },
                    })
                };
                (id, seen, read)
            }),
        )
    }
}
