//! What the benchmark measures on the database itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::{ExecutionId, Limits, Partitions};
use serde::Serialize;
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions as _, PgConnection};

use crate::{Claim, Engine, Error};

/// Operations in a span of time.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rate {
    /// How many.
    pub operations: u64,
    /// How long it took.
    pub seconds: f64,
    /// The ratio of the two.
    pub per_second: f64,
}

impl Rate {
    /// Builds a rate.
    pub fn new(operations: u64, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs_f64();
        Self {
            operations,
            seconds,
            per_second: operations as f64 / seconds,
        }
    }
}

/// Counters of the server, for differences.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Stats {
    /// Bytes of write-ahead log.
    pub wal_bytes: u64,
    /// Times the log was synced.
    pub fsyncs: u64,
}

/// The baseline: single-row inserts, one durable commit each.
#[derive(Debug, Clone, Copy)]
pub struct Baseline;

impl Baseline {
    /// Makes the table of the baseline anew: a key of sixteen bytes and a payload
    /// of 130, as a benchmark of single-row inserts has.
    pub async fn prepare(engine: &Engine) -> Result<Self, Error> {
        sqlx::query!("DROP TABLE IF EXISTS bench_insert")
            .execute(&engine.inner.reads)
            .await?;
        sqlx::query!("CREATE TABLE bench_insert (id uuid PRIMARY KEY, payload bytea NOT NULL)")
            .execute(&engine.inner.reads)
            .await?;
        Ok(Self)
    }

    /// Inserts rows one by one over `connections` connections for a while.
    pub async fn single_row_inserts(
        &self,
        engine: &Engine,
        connections: u32,
        span: Duration,
    ) -> Result<Rate, Error> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .min_connections(connections)
            .test_before_acquire(false)
            .connect_with((*engine.inner.verbs.connect_options()).clone())
            .await?;
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicU64::new(0));
        let started = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let (pool, stop, done) = (pool.clone(), Arc::clone(&stop), Arc::clone(&done));
                let partitions = engine.instance().partitions;
                tokio::spawn(async move {
                    let mut connection = pool.acquire().await?;
                    while !stop.load(Ordering::Relaxed) {
                        insert_one(&mut connection, partitions).await?;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok::<_, Error>(())
                })
            })
            .collect();
        tokio::time::sleep(span).await;
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await
                .map_err(|error| Error::Unavailable(error.to_string()))??;
        }
        let rate = Rate::new(done.load(Ordering::Relaxed), started.elapsed());
        pool.close().await;
        Ok(rate)
    }

    /// Opens a connection for inserts one at a time.
    pub async fn single(&self, engine: &Engine) -> Result<SingleInserts, Error> {
        let connection = engine.inner.verbs.connect_options().connect().await?;
        Ok(SingleInserts {
            connection,
            partitions: engine.instance().partitions,
        })
    }
}

/// A connection of its own that inserts one row at a time.
#[derive(Debug)]
pub struct SingleInserts {
    connection: PgConnection,
    partitions: Partitions,
}

impl SingleInserts {
    /// Inserts a row and waits for its commit.
    pub async fn insert(&mut self) -> Result<(), Error> {
        insert_one(&mut self.connection, self.partitions).await
    }
}

async fn insert_one(connection: &mut PgConnection, partitions: Partitions) -> Result<(), Error> {
    let id = crate::mint::execution_id(partitions, "", None).uuid();
    // Not checked at compile time: the table is not part of the schema.
    sqlx::query("INSERT INTO bench_insert (id, payload) VALUES ($1, $2)")
        .bind(id)
        .bind([7_u8; 130].as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// Reads the counters of the server. They lag by up to a second.
pub async fn server_stats(engine: &Engine) -> Result<Stats, Error> {
    let row = sqlx::query!(
        r#"SELECT wal_bytes::bigint AS "wal_bytes!", wal_sync AS "wal_sync!" FROM pg_stat_wal"#
    )
    .fetch_one(&engine.inner.reads)
    .await?;
    Ok(Stats {
        wal_bytes: row.wal_bytes.unsigned_abs(),
        fsyncs: row.wal_sync.unsigned_abs(),
    })
}

/// Fills the queue of a lane with `count` ready executions of a kind.
pub async fn backlog(engine: &Engine, lane: &str, kind: &str, count: u64) -> Result<(), Error> {
    engine.lane_state(lane).await?;
    let mut left = count;
    while left > 0 {
        let batch = left.min(10_000);
        let partitions = engine.instance().partitions;
        let ids: Vec<_> = (0..batch)
            .map(|_| crate::mint::execution_id(partitions, "", None))
            .collect();
        let uuids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
        let columns: Vec<_> = ids
            .iter()
            .map(|id: &ExecutionId| id.partition().column())
            .collect();
        sqlx::query!(
            "WITH made AS (
                 INSERT INTO execution (partition, id, namespace, lane, kind, priority, input,
                                        input_type, max_reclaims, has_tags)
                 SELECT p, id, 'bench', $3, $4, 0, '', 'text/plain', 1000, false
                 FROM unnest($1::smallint[], $2::uuid[]) AS w(p, id)
             )
             INSERT INTO ready (partition, execution_id, lane, namespace, rank, kind, epoch, attempts,
                                retries, reclaims, replays, next_type, resumes)
             SELECT p, id, $3, 'bench', 9000, $4, 0, 0, 0, 0, 0, 'initial', false
             FROM unnest($1::smallint[], $2::uuid[]) AS w(p, id)",
            &columns,
            &uuids,
            lane,
            kind
        )
        .execute(&engine.inner.reads)
        .await?;
        left -= batch;
    }
    Ok(())
}

/// Claims and gives back batches of 50 from a lane for a while; returns the time
/// of each claim.
pub async fn claims(engine: &Engine, lane: &str, span: Duration) -> Result<Vec<Duration>, Error> {
    let started = Instant::now();
    let mut times = Vec::new();
    while started.elapsed() < span {
        times.push(claim_and_release(engine, lane).await?);
    }
    Ok(times)
}

/// Claims a batch of 50 from a lane and gives it back; returns the time of the
/// claim.
async fn claim_and_release(engine: &Engine, lane: &str) -> Result<Duration, Error> {
    let asked = Instant::now();
    let claimed = engine.claim(batch(lane, 50)).await?;
    let took = asked.elapsed();
    let back = claimed
        .into_iter()
        .map(|claimed| engine.release(claimed.fence, Default::default()));
    for answer in futures::future::join_all(back).await {
        let _ = answer?;
    }
    Ok(took)
}

fn batch(lane: &str, max: u32) -> Claim {
    Claim {
        worker_instance_id: "bench".to_owned(),
        lanes: vec![lane.to_owned()],
        kinds: None,
        capabilities: Default::default(),
        max,
        lease_ttl_ms: 600_000,
    }
}

/// What happens when many delays are due at once.
#[derive(Debug, Clone)]
pub struct Herd {
    /// From the moment they were due until the last was promoted.
    pub promoted: Duration,
    /// Claims of another lane meanwhile.
    pub claims: Vec<Duration>,
}

/// Parks `count` executions of a lane, has them all due at once, and claims from
/// another lane, which has work, until the sweeps of this host have promoted them.
pub async fn herd(
    engine: &Engine,
    lane: &str,
    claims_from: &str,
    kind: &str,
    count: u64,
) -> Result<Herd, Error> {
    backlog(engine, lane, kind, count).await?;
    sqlx::query!(
        "WITH taken AS (DELETE FROM ready WHERE lane = $1 RETURNING *)
         INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank, epoch,
                             attempts, retries, reclaims, replays, next_type, resumes)
         SELECT partition, execution_id, 'delayed', 'waiting_for_delay', 'infinity', lane, rank,
                epoch, attempts, retries, reclaims, replays, next_type, resumes
         FROM taken",
        lane
    )
    .execute(&engine.inner.reads)
    .await?;
    sqlx::query!(
        "UPDATE parked SET wake_at = clock_timestamp() WHERE lane = $1",
        lane
    )
    .execute(&engine.inner.reads)
    .await?;
    let due = Instant::now();
    let promotion = async {
        loop {
            let left = sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT FROM parked WHERE lane = $1) AS "left!""#,
                lane
            )
            .fetch_one(&engine.inner.reads)
            .await?;
            if !left {
                return Ok::<_, Error>(due.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::pin!(promotion);
    let mut claims = Vec::new();
    loop {
        tokio::select! {
            biased;
            promoted = &mut promotion => {
                return Ok(Herd { promoted: promoted?, claims });
            }
            took = claim_and_release(engine, claims_from) => claims.push(took?),
        }
    }
}

/// What renewing many leases takes.
#[derive(Debug, Clone)]
pub struct Renewals {
    /// Leases that were renewed each time.
    pub leases: u64,
    /// Statements it took each time.
    pub statements: f64,
    /// Time of each renewal of them all.
    pub times: Vec<Duration>,
}

/// Leases `count` executions of a lane and renews them all, `rounds` times.
pub async fn renewals(
    engine: &Engine,
    lane: &str,
    kind: &str,
    count: u64,
    rounds: u32,
) -> Result<Renewals, Error> {
    backlog(engine, lane, kind, count).await?;
    let mut fences = Vec::new();
    loop {
        let claimed = engine.claim(batch(lane, Limits::BATCH_MAX as u32)).await?;
        if claimed.is_empty() {
            break;
        }
        fences.extend(claimed.into_iter().map(|claimed| claimed.fence));
    }
    // A statement that renews writes one row of the log.
    let statements = async || {
        sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM event
               WHERE kinds[1] = 'renewed' AND namespaces[1] = 'bench'"#
        )
        .fetch_one(&engine.inner.reads)
        .await
    };
    let before = statements().await?;
    let mut times = Vec::new();
    let mut leases = 0;
    for _ in 0..rounds {
        let asked = Instant::now();
        let renewed = engine.renew(&fences, 600_000).await?;
        times.push(asked.elapsed());
        leases = renewed.iter().filter(|renewed| renewed.is_ok()).count() as u64;
    }
    let made = statements().await? - before;
    Ok(Renewals {
        leases,
        statements: made as f64 / f64::from(rounds.max(1)),
        times,
    })
}

/// Suspends `count` executions of a lane, each at one waitpoint, with time limits
/// that pass within a month, but not today; returns the bytes that each takes in
/// tables and indexes.
pub async fn suspend(engine: &Engine, lane: &str, kind: &str, count: u64) -> Result<f64, Error> {
    let before = bytes(engine).await?;
    backlog(engine, lane, kind, count).await?;
    sqlx::query!(
        "WITH taken AS (DELETE FROM ready WHERE lane = $1 RETURNING *),
         named AS MATERIALIZED (
             SELECT t.*, gen_random_uuid() AS suspension_id,
                    clock_timestamp() + (1 + 29 * random()) * interval '1 day' AS timeout_at
             FROM taken t
         ),
         begun AS (
             INSERT INTO suspension (partition, execution_id, id, epoch, attempt, replays,
                                     reason, requested_by, condition, timeout_at,
                                     timeout_behavior, state, state_type, at_once)
             SELECT partition, execution_id, suspension_id, 1, 0, 0, 'waiting_for_signal',
                    'worker', $2, timeout_at, 'fail', 'saved', 'text/plain', false
             FROM named
         ),
         opened AS (
             INSERT INTO waitpoint (partition, execution_id, id, key, state, suspension_id,
                                    token_kid, token_fingerprint, activated_at)
             SELECT partition, execution_id, gen_random_uuid(), 'bench', 'active', suspension_id,
                    'bench', '0123456789abcdef', clock_timestamp()
             FROM named
         )
         INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank, epoch,
                             attempts, retries, reclaims, replays, next_type, resumes,
                             suspension_id)
         SELECT partition, execution_id, 'suspended', 'waiting_for_signal', timeout_at, lane,
                rank, 1, 1, retries, reclaims, replays, next_type, true, suspension_id
         FROM named",
        lane,
        CONDITION,
    )
    .execute(&engine.inner.reads)
    .await?;
    let each = (bytes(engine).await? - before) as f64 / count.max(1) as f64;
    // What the server would do in the next minute, so that looks do not meet it.
    sqlx::query("VACUUM (ANALYZE) parked")
        .execute(&engine.inner.reads)
        .await?;
    sqlx::query("CHECKPOINT")
        .execute(&engine.inner.reads)
        .await?;
    Ok(each)
}

/// Creates an execution in a lane nobody serves, claims and suspends it; returns the
/// time of the last.
pub async fn suspend_one(engine: &Engine, lane: &str, kind: &str) -> Result<Duration, Error> {
    backlog(engine, lane, kind, 1).await?;
    let claimed = engine.claim(batch(lane, 1)).await?;
    let Some(claimed) = claimed.into_iter().next() else {
        return Err(Error::Unavailable("nothing was claimed".to_owned()));
    };
    let condition = serde_json::from_str(CONDITION)
        .map_err(|error| Error::corrupt("suspension", "condition", "bench", error))?;
    let suspend = crate::Suspend {
        fence: claimed.fence,
        waitpoints: Vec::new(),
        condition,
        resume_policy: model::ResumePolicy::default(),
        reason: model::SuspensionReason::WaitingForSignal,
        requested_by: model::SuspensionRequester::Worker,
        timeout: None,
        timeout_behavior: None,
        state: Some(crate::Payload::new("text/plain", "saved")),
        idempotency_key: None,
        report: Default::default(),
    };
    let asked = Instant::now();
    let answer = engine.suspend(suspend).await?;
    let took = asked.elapsed();
    match answer {
        Ok(crate::Suspended::Suspended(_)) => Ok(took),
        other => Err(Error::Unavailable(format!("not suspended: {other:?}"))),
    }
}

/// What suspended executions of the benchmark wait for.
const CONDITION: &str = r#"{"Single":{"waitpoint_key":"bench","matcher":"Wildcard"}}"#;

/// Returns the bytes of everything an execution that waits is kept in.
async fn bytes(engine: &Engine) -> Result<i64, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT sum(pg_total_relation_size(t))::bigint AS "bytes!"
           FROM unnest(ARRAY['execution', 'parked', 'suspension', 'waitpoint']::regclass[]) AS t"#
    )
    .fetch_one(&engine.inner.reads)
    .await?)
}

/// Looks for suspensions whose time has passed, as the sweep does, `runs` times;
/// returns the time of each look.
pub async fn due_suspensions(engine: &Engine, runs: u32) -> Result<Vec<Duration>, Error> {
    let mut times = Vec::new();
    for _ in 0..runs {
        for partition in engine.instance().partitions.all() {
            let asked = Instant::now();
            engine.due_suspensions(partition).await?;
            times.push(asked.elapsed());
        }
    }
    Ok(times)
}

/// Removes what a lane holds again, whatever became of it.
pub async fn clear(engine: &Engine, lane: &str) -> Result<(), Error> {
    sqlx::query!("DELETE FROM ready WHERE lane = $1", lane)
        .execute(&engine.inner.reads)
        .await?;
    sqlx::query!("DELETE FROM lease WHERE lane = $1", lane)
        .execute(&engine.inner.reads)
        .await?;
    sqlx::query!(
        "WITH gone AS (DELETE FROM parked WHERE lane = $1 RETURNING partition, execution_id),
         suspensions AS (
             DELETE FROM suspension s USING gone g
             WHERE s.partition = g.partition AND s.execution_id = g.execution_id
         )
         DELETE FROM waitpoint t USING gone g
         WHERE t.partition = g.partition AND t.execution_id = g.execution_id",
        lane
    )
    .execute(&engine.inner.reads)
    .await?;
    sqlx::query!(
        "DELETE FROM execution WHERE namespace = 'bench' AND lane = $1",
        lane
    )
    .execute(&engine.inner.reads)
    .await?;
    Ok(())
}
