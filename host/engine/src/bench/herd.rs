//! Many delays that are due at the same time.

use std::time::{Duration, Instant};

use super::queue::{backlog, claim_and_release};
use crate::{Engine, Error};

/// What happens when many delays are due at the same time.
#[derive(Debug, Clone)]
pub struct Herd {
    /// Time from when they were due until the last was promoted.
    pub promoted: Duration,
    /// Times of the claims from another lane meanwhile.
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
            took = claim_and_release(engine, claims_from, None) => claims.push(took?),
        }
    }
}
