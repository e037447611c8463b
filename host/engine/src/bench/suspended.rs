//! Suspended executions: how they are suspended, the room they take, and how those past
//! their timeout are found.

use std::time::{Duration, Instant};

use super::queue::{backlog, batch};
use crate::{Engine, Error};

/// Suspends `count` executions of a lane, each at one waitpoint, with timeouts within a
/// month, but not today; returns the bytes that each takes in tables and indexes.
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
    // What the server would do in the next minute, so that no measured statement waits for it.
    sqlx::query("VACUUM (ANALYZE) parked")
        .execute(&engine.inner.reads)
        .await?;
    sqlx::query("CHECKPOINT")
        .execute(&engine.inner.reads)
        .await?;
    Ok(each)
}

/// Creates an execution in a lane that no worker serves, claims and suspends it; returns
/// the time of the suspension.
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
        known: Some((claimed.namespace, claimed.policy)),
    };
    let asked = Instant::now();
    let answer = engine.suspend(suspend).await;
    let took = asked.elapsed();
    match answer {
        Ok(crate::Suspended::Suspended(_)) => Ok(took),
        other => Err(Error::Unavailable(format!("not suspended: {other:?}"))),
    }
}

/// Condition that suspended executions of the benchmark wait for.
const CONDITION: &str = r#"{"Single":{"waitpoint_key":"bench","matcher":"Wildcard"}}"#;

/// Returns the bytes of all tables that hold a suspended execution.
async fn bytes(engine: &Engine) -> Result<i64, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT sum(pg_total_relation_size(t))::bigint AS "bytes!"
           FROM unnest(ARRAY['execution', 'parked', 'suspension', 'waitpoint']::regclass[]) AS t"#
    )
    .fetch_one(&engine.inner.reads)
    .await?)
}

/// Finds suspensions past their timeout, as the sweep does, `runs` times; returns the time
/// of each search.
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
