//! Leases that have lapsed and were not taken back yet: an operator's view of
//! what the sweep will find next.

use model::{ExecutionId, Limits};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::read::LeaseSummary;
use super::row::{count, epoch};
use crate::{Engine, Error};

/// A lease that has lapsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiredLease {
    /// The execution it is on.
    pub execution_id: ExecutionId,
    /// Where that lives.
    pub namespace: String,
    /// The lease.
    pub lease: LeaseSummary,
}

impl Engine {
    /// Lists lapsed leases, those that lapsed first coming first. The next page
    /// begins after the last one's time and execution.
    pub async fn list_expired_leases(
        &self,
        namespace: Option<&str>,
        after: Option<(OffsetDateTime, ExecutionId)>,
        limit: u32,
    ) -> Result<Vec<ExpiredLease>, Error> {
        let (after_at, after_id) = after.unzip();
        let rows = sqlx::query!(
            r#"SELECT l.execution_id, l.namespace, l.lease_id, l.epoch, l.attempt,
                      l.worker_instance_id, l.acquired_at, l.expires_at, l.renewals
               FROM lease l
               WHERE l.expires_at <= statement_timestamp()
                 AND ($1::text IS NULL OR l.namespace = $1)
                 AND ($2::timestamptz IS NULL OR (l.expires_at, l.execution_id) > ($2, $3::uuid))
               ORDER BY l.expires_at, l.execution_id
               LIMIT $4"#,
            namespace,
            after_at,
            after_id.map(ExecutionId::uuid),
            i64::from(limit.min(Limits::PAGE_MAX)),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| ExpiredLease {
                execution_id: ExecutionId::from_uuid(row.execution_id),
                namespace: row.namespace,
                lease: LeaseSummary {
                    lease_id: model::LeaseId(row.lease_id),
                    epoch: epoch(row.epoch),
                    worker_instance_id: row.worker_instance_id,
                    attempt: count(row.attempt),
                    acquired_at: row.acquired_at,
                    expires_at: row.expires_at,
                    renewals: count(row.renewals),
                },
            })
            .collect())
    }
}
