//! Full queues, claims from them, and emptying their lanes again.

use std::time::{Duration, Instant};

use model::{ExecutionId, Fence, Limits};

use crate::{Claim, Declined, Engine, Error};

/// Namespace of all executions that the benchmark makes.
pub const NAMESPACE: &str = "bench";

/// Fills the queue of a lane with `count` ready executions of a kind.
pub async fn backlog(engine: &Engine, lane: &str, kind: &str, count: u64) -> Result<(), Error> {
    engine.lane_state(lane).await?;
    let mut left = count;
    while left > 0 {
        let batch = left.min(10_000);
        let partitions = engine.instance().partitions;
        let ids: Vec<_> = (0..batch)
            .map(|_| crate::random::execution_id(partitions, "", None))
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

/// Claims and releases batches of 50 from a lane for a while, of these kinds or of any;
/// returns the time of each claim.
pub async fn claims(
    engine: &Engine,
    lane: &str,
    kinds: Option<&[String]>,
    span: Duration,
) -> Result<Vec<Duration>, Error> {
    let started = Instant::now();
    let mut times = Vec::new();
    while started.elapsed() < span {
        times.push(claim_and_release(engine, lane, kinds).await?);
    }
    Ok(times)
}

/// Claims a batch of 50 from a lane and releases it; returns the time of the claim.
pub(super) async fn claim_and_release(
    engine: &Engine,
    lane: &str,
    kinds: Option<&[String]>,
) -> Result<Duration, Error> {
    let claim = Claim {
        kinds: kinds.map(<[String]>::to_vec),
        ..batch(lane, 50)
    };
    let asked = Instant::now();
    let claimed = engine.claim(claim).await?;
    let took = asked.elapsed();
    let released = claimed
        .into_iter()
        .map(|claimed| engine.release(claimed.fence, Default::default()));
    for answer in futures::future::join_all(released).await {
        if let Err(Declined::Fault(error)) = answer {
            return Err(error);
        }
    }
    Ok(took)
}

/// Claims so many executions of a lane and keeps them for ten minutes.
///
/// # Errors
/// The database's.
pub async fn hold(engine: &Engine, lane: &str, count: u32) -> Result<(), Error> {
    let mut left = count;
    while left > 0 {
        let claimed = engine.claim(batch(lane, left.min(50))).await?;
        if claimed.is_empty() {
            break;
        }
        left = left.saturating_sub(claimed.len() as u32);
    }
    Ok(())
}

/// Fills the queue of a lane with `count` executions of a kind, and takes their leases for
/// ten minutes.
///
/// # Errors
/// The database's.
pub async fn leased(
    engine: &Engine,
    lane: &str,
    kind: &str,
    count: u64,
) -> Result<Vec<Fence>, Error> {
    backlog(engine, lane, kind, count).await?;
    let mut fences = Vec::new();
    loop {
        let claimed = engine.claim(batch(lane, Limits::BATCH_MAX as u32)).await?;
        if claimed.is_empty() {
            return Ok(fences);
        }
        fences.extend(claimed.into_iter().map(|claimed| claimed.fence));
    }
}

pub(super) fn batch(lane: &str, max: u32) -> Claim {
    Claim {
        worker_instance_id: "bench".to_owned(),
        namespaces: None,
        lanes: vec![lane.to_owned()],
        kinds: None,
        capabilities: Default::default(),
        max,
        lease_ttl_ms: 600_000,
    }
}

/// Removes every execution of a lane, in any state.
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

/// Removes every execution of a lane, as [`clear`] does, and their streams.
pub async fn clear_streams(engine: &Engine, lane: &str) -> Result<(), Error> {
    sqlx::query!(
        "WITH streams AS (
             DELETE FROM stream s USING execution e
             WHERE e.namespace = 'bench' AND e.lane = $1
               AND s.partition = e.partition AND s.execution_id = e.id
             RETURNING s.partition, s.execution_id
         )
         DELETE FROM stream_frame f USING streams s
         WHERE f.partition = s.partition AND f.execution_id = s.execution_id",
        lane
    )
    .execute(&engine.inner.reads)
    .await?;
    clear(engine, lane).await
}

/// Removes the ready executions of a kind, in any lane.
pub async fn clear_ready(engine: &Engine, kind: &str) -> Result<(), Error> {
    sqlx::query!(
        "WITH gone AS (
             DELETE FROM ready WHERE namespace = 'bench' AND kind = $1
             RETURNING partition, execution_id
         )
         DELETE FROM execution e USING gone g
         WHERE e.partition = g.partition AND e.id = g.execution_id",
        kind
    )
    .execute(&engine.inner.reads)
    .await?;
    Ok(())
}
