//! list: workers by the names of their instances.

use model::{Limits, WorkerType};
use time::OffsetDateTime;

use crate::row::{count, label};
use crate::{Engine, Error, Page};

/// A worker of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Name of the process; another one after each start.
    pub worker_instance_id: String,
    /// Name of the worker, the same after a restart.
    pub worker_id: String,
    /// What runs its attempts.
    pub worker_type: WorkerType,
    /// Namespace it works for; absent for all.
    pub namespace: Option<String>,
    /// Lanes it serves; empty for all.
    pub lanes: Vec<String>,
    /// Kinds of executions that it can run.
    pub kinds: Vec<String>,
    /// Capabilities it offers to executions that require some.
    pub capabilities: Vec<String>,
    /// Machine it runs on; absent if it did not tell.
    pub host: Option<String>,
    /// Its version; absent if it did not tell.
    pub version: Option<String>,
    /// Time after a heartbeat for which it is taken to be live, in milliseconds.
    pub liveness_ttl_ms: u32,
    /// Time since which it is live without a gap.
    pub registered_at: OffsetDateTime,
    /// Time of its last registration or heartbeat.
    pub heartbeat_at: OffsetDateTime,
    /// End of the time for which it is taken to be live.
    pub expires_at: OffsetDateTime,
    /// Whether it is taken to be live now.
    pub live: bool,
    /// Time at which it was marked dead; absent while it is not.
    pub dead_at: Option<OffsetDateTime>,
    /// Why it was marked dead; absent while it is not.
    pub dead_reason: Option<String>,
    /// Number of leases it holds, among the first [`Limits::LEASES_COUNTED_MAX`] of the
    /// instance.
    pub leases: u64,
    /// Whether the instance has no more leases than that.
    pub leases_exact: bool,
}

/// Which workers to list; absent fields match all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerFilter {
    /// The worker instance of this name.
    pub worker_instance_id: Option<String>,
    /// Workers for this namespace, or for all, with the leases they hold in it.
    pub namespace: Option<String>,
    /// Workers that serve this lane, or all.
    pub lane: Option<String>,
    /// Workers that are live now, or that are not.
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
    ) -> Result<Page<WorkerInfo, String>, Error> {
        let rows = sqlx::query!(
            r#"WITH page AS MATERIALIZED (
                   SELECT w.*, w.dead_at IS NULL AND w.expires_at > clock_timestamp() AS live
                   FROM worker w
                   WHERE ($1::text IS NULL OR w.worker_instance_id = $1)
                     AND ($2::text IS NULL OR w.namespace IS NULL OR w.namespace = $2)
                     AND ($3::text IS NULL OR w.lanes = '{}' OR $3 = ANY (w.lanes))
                     AND ($4::boolean IS NULL
                          OR (w.dead_at IS NULL AND w.expires_at > clock_timestamp()) = $4)
                     AND w.worker_instance_id > $5
                   ORDER BY w.worker_instance_id LIMIT $6
               ),
               held AS MATERIALIZED (
                   SELECT l.worker_instance_id, count(*) AS leases
                   FROM (SELECT worker_instance_id FROM lease
                         WHERE $2::text IS NULL OR namespace = $2 LIMIT $7) AS l
                   GROUP BY l.worker_instance_id
               )
               SELECT p.worker_instance_id, p.worker_id, p.worker_type::text AS "worker_type!",
                      p.namespace, p.lanes, p.kinds, p.capabilities, p.host, p.version,
                      p.liveness_ttl_ms, p.registered_at, p.heartbeat_at, p.expires_at,
                      p.live AS "live!", p.dead_at, p.dead_reason,
                      coalesce((SELECT h.leases FROM held h
                                WHERE h.worker_instance_id = p.worker_instance_id), 0) AS "leases!",
                      coalesce((SELECT sum(h.leases) FROM held h), 0)::bigint AS "all_leases!"
               FROM page p
               ORDER BY p.worker_instance_id"#,
            filter.worker_instance_id,
            filter.namespace,
            filter.lane,
            filter.live,
            after.unwrap_or_default(),
            i64::from(limit) + 1,
            i64::from(Limits::LEASES_COUNTED_MAX) + 1,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Page::read(
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
                        leases: row.leases.unsigned_abs(),
                        leases_exact: row.all_leases <= Limits::LEASES_COUNTED_MAX.into(),
                    })
                };
                let read = read();
                (id, read)
            }),
        )
    }
}
