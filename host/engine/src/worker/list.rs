//! Reads: workers by the names of their instances.

use model::WorkerType;
use time::OffsetDateTime;

use crate::row::{count, label};
use crate::{Engine, Error, Listed};

/// A worker as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerInfo {
    /// The process.
    pub worker_instance_id: String,
    /// The worker, over its restarts.
    pub worker_id: String,
    /// What it is.
    pub worker_type: WorkerType,
    /// Which namespace it works for; absent for all.
    pub namespace: Option<String>,
    /// Lanes it serves; empty for all.
    pub lanes: Vec<String>,
    /// Kinds it can run.
    pub kinds: Vec<String>,
    /// What it offers.
    pub capabilities: Vec<String>,
    /// The machine it runs on.
    pub host: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// How long it is believed to live after a word from it, in milliseconds.
    pub liveness_ttl_ms: u32,
    /// Since when it is live.
    pub registered_at: OffsetDateTime,
    /// When it was heard from last.
    pub heartbeat_at: OffsetDateTime,
    /// Until when it is believed to live.
    pub expires_at: OffsetDateTime,
    /// Whether it is believed to live now.
    pub live: bool,
    /// When it was found dead.
    pub dead_at: Option<OffsetDateTime>,
    /// Why it is dead.
    pub dead_reason: Option<String>,
    /// How many leases it holds.
    pub leases: i64,
}

/// Which workers to list; absent fields match all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerFilter {
    /// This instance.
    pub worker_instance_id: Option<String>,
    /// That work for this namespace.
    pub namespace: Option<String>,
    /// That serve this lane.
    pub lane: Option<String>,
    /// That are live, or that are not.
    pub live: Option<bool>,
}

impl Engine {
    /// Lists at most `limit` workers after the instance `after`, by the names of
    /// their instances.
    pub async fn workers(
        &self,
        filter: &WorkerFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Listed<WorkerInfo, String>, Error> {
        let rows = sqlx::query!(
            r#"WITH page AS MATERIALIZED (
                   SELECT w.*, w.dead_at IS NULL AND w.expires_at > clock_timestamp() AS live
                   FROM worker w
                   WHERE ($1::text IS NULL OR w.worker_instance_id = $1)
                     AND ($2::text IS NULL OR w.namespace IS NULL OR w.namespace = $2)
                     AND ($3::text IS NULL OR w.lanes = '{}' OR $3 = ANY (w.lanes))
                     AND ($4::boolean IS NULL
                          OR (w.dead_at IS NULL AND w.expires_at > clock_timestamp()) = $4)
                     AND ($5::text IS NULL OR w.worker_instance_id > $5)
                   ORDER BY w.worker_instance_id LIMIT $6
               ),
               held AS (
                   SELECT l.worker_instance_id, count(*) AS leases FROM lease l
                   WHERE l.worker_instance_id IN (SELECT worker_instance_id FROM page)
                   GROUP BY l.worker_instance_id
               )
               SELECT p.worker_instance_id, p.worker_id, p.worker_type::text AS "worker_type!",
                      p.namespace, p.lanes, p.kinds, p.capabilities, p.host, p.version,
                      p.liveness_ttl_ms, p.registered_at, p.heartbeat_at, p.expires_at,
                      p.live AS "live!", p.dead_at, p.dead_reason,
                      coalesce(h.leases, 0) AS "leases!"
               FROM page p LEFT JOIN held h USING (worker_instance_id)
               ORDER BY p.worker_instance_id"#,
            filter.worker_instance_id,
            filter.namespace,
            filter.lane,
            filter.live,
            after,
            i64::from(limit) + 1,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Listed::read(
            limit,
            rows.into_iter().map(|row| {
                let id = row.worker_instance_id.clone();
                let read = || {
                    Ok(WorkerInfo {
                        worker_type: label("worker", "worker_type", &id, &row.worker_type)?,
                        worker_instance_id: row.worker_instance_id,
                        worker_id: row.worker_id,
                        namespace: row.namespace,
                        lanes: row.lanes,
                        kinds: row.kinds,
                        capabilities: row.capabilities,
                        host: row.host,
                        version: row.version,
                        liveness_ttl_ms: count(row.liveness_ttl_ms),
                        registered_at: row.registered_at,
                        heartbeat_at: row.heartbeat_at,
                        expires_at: row.expires_at,
                        live: row.live,
                        dead_at: row.dead_at,
                        dead_reason: row.dead_reason,
                        leases: row.leases,
                    })
                };
                let read = read();
                (id, read)
            }),
        )
    }
}
