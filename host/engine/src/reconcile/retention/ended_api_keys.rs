//! ended_api_keys: revoked or expired longer than the audit keeps what they did → removed.
//! No event.
//!
//! Keys are walked in the order of their ids, which is that of their creation, and only those
//! that were made as long ago; a key that is accepted is met by every run, and they are few.

use crate::reconcile::sweeps::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Removes keys that ended long enough ago, and their texts; returns the number of keys.
    pub(crate) async fn ended_api_keys(&self) -> Result<u64, Error> {
        let Some(retention_ms) = self.inner.retention.audit_column() else {
            return Ok(0);
        };
        let removed = sqlx::query!(
            "DELETE FROM api_key WHERE ctid = ANY (ARRAY(
                 SELECT k.ctid FROM api_key k
                 WHERE k.id < (lpad(to_hex(greatest(
                                   (extract(epoch FROM statement_timestamp()) * 1000)::bigint - $1::bigint,
                                   0)), 12, '0') || repeat('0', 20))::uuid
                   AND least(k.revoked_at, k.expires_at)
                       <= statement_timestamp() - $1::bigint * interval '1 millisecond'
                 ORDER BY k.id LIMIT $2 FOR UPDATE SKIP LOCKED))",
            retention_ms,
            SWEEP_MAX
        )
        .execute(&self.inner.reads)
        .await?;
        Ok(removed.rows_affected())
    }
}
