//! expired_leases: active with an expired lease → waiting, or failed at the cap.
//!
//! Event: `expired` or `failed`.

use super::sweeps::SWEEP_MAX;
use crate::lease::EndLease;
use crate::row::fence;
use crate::{Engine, Error};

impl Engine {
    /// Ends leases that expired; returns their number.
    pub(crate) async fn expired_leases(&self) -> Result<u64, Error> {
        let rows = sqlx::query!(
            r#"SELECT l.execution_id, l.lease_id, l.epoch, l.attempt, l.reclaims, e.max_reclaims
               FROM lease l
               CROSS JOIN LATERAL (
                   SELECT e.* FROM execution e
                   WHERE e.partition = l.partition AND e.id = l.execution_id OFFSET 0
               ) AS e
               WHERE l.expires_at <= clock_timestamp()
               LIMIT $1"#,
            SWEEP_MAX
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let calls = rows
            .into_iter()
            .map(|row| {
                let fence = fence(row.execution_id, row.lease_id, row.epoch, row.attempt);
                let at_cap = row.reclaims >= row.max_reclaims;
                EndLease::expired(fence, at_cap)
            })
            .collect();
        self.end_leases(calls).await
    }
}
