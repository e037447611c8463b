//! Leases that have expired and were not reclaimed yet: an operator's view of what the
//! sweep will find next.

use model::{ExecutionId, LeaseId, Limits};
use time::OffsetDateTime;

use crate::row::{StoredTime, count, epoch, optional_time};
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
    /// Lists expired leases, those that expired first coming first. The next page
    /// begins after the last one's time and execution, all times before the year 1
    /// being one.
    pub async fn list_expired_leases(
        &self,
        namespace: Option<&str>,
        after: Option<(OffsetDateTime, ExecutionId)>,
        limit: u32,
    ) -> Result<Page<ExpiredLease, (OffsetDateTime, ExecutionId)>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let (after_at, after_id) = after.unzip();
        let rows = sqlx::query!(
            r#"SELECT l.execution_id, l.namespace, l.lease_id, l.epoch, l.attempt,
                      l.worker_instance_id, l.acquired_at AS "acquired_at: StoredTime",
                      l.expires_at AS "expires_at: StoredTime", l.renewals,
                      l.renewed_at AS "renewed_at: StoredTime", at.place AS "place!"
               FROM lease l
               CROSS JOIN LATERAL (SELECT greatest(l.expires_at, '0001-01-01 00:00:00+00')) AS at(place)
               WHERE l.expires_at <= statement_timestamp()
                 AND ($1::text IS NULL OR l.namespace = $1)
                 AND ($2::timestamptz IS NULL OR (at.place, l.execution_id) > ($2, $3::uuid))
               ORDER BY at.place, l.execution_id
               LIMIT $4"#,
            namespace,
            after_at,
            after_id.map(ExecutionId::uuid),
            i64::from(limit) + 1,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Page::read(
            limit,
            rows.into_iter().map(|row| {
                let id = ExecutionId::from_uuid(row.execution_id);
                let read = || {
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
                ((row.place, id), read())
            }),
        )
    }
}
