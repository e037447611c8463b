//! counts: how many executions have not finished, by state, and how long they have waited.
//!
//! Counting rows takes as long as there are rows, and a backlog has millions. So each
//! table is counted up to [`Limits::COUNTED_MAX`]; beyond that its size is what the
//! database's own statistics say, which it keeps with every insert and delete, and the
//! shares of states are those of blocks drawn at random. The oldest ready execution is
//! found by one step for each queue, as in `lane/probe.sql`. A host counts once in
//! [`FRESH`], however often it is asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::Limits;
use tokio::sync::Mutex;

use crate::{Engine, Error};

/// For how long counts are used before they are made again.
const FRESH: Duration = Duration::from_secs(5);
/// About how many blocks of a large table are read to find the shares of states.
const SAMPLED_BLOCKS: f32 = 256.0;
/// Most steps from queue to queue to find the execution that has been ready longest.
const OLDEST_STEPS_MAX: i32 = 2000;

/// How many rows there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Their number, or about so many.
    pub rows: u64,
    /// Whether they were counted; otherwise the number is estimated.
    pub exact: bool,
}

/// How many executions there are in each state that is not terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many are ready.
    pub waiting: Count,
    /// How many are neither ready nor running nor finished, by state. Where there are many,
    /// a state with few may be missing.
    pub parked: BTreeMap<String, Count>,
    /// How many run under a lease.
    pub active: Count,
    /// How long the oldest ready one has been ready, in milliseconds; 0 if there is none.
    /// At least so long, where more than two thousand lanes, namespaces, kinds and
    /// priorities have ready executions.
    pub oldest_waiting_ms: u64,
}

/// The last counts of this host.
#[derive(Default)]
pub(crate) struct LastCounts(Mutex<Option<(Instant, Counts)>>);

impl Engine {
    /// Counts executions that are not finished, or returns counts that are at most five
    /// seconds old.
    pub async fn counts(&self) -> Result<Counts, Error> {
        let mut last = self.inner.caches.counts.0.lock().await;
        if let Some((at, counts)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(counts.clone());
        }
        let counts = self.count().await?;
        *last = Some((Instant::now(), counts.clone()));
        Ok(counts)
    }

    async fn count(&self) -> Result<Counts, Error> {
        let max = i64::from(Limits::COUNTED_MAX);
        let tables = sqlx::query_file!("src/execution/counts.sql", max + 1)
            .fetch_one(&self.inner.reads)
            .await?;
        let parked = table(tables.parked, tables.parked_estimate);
        let percent = if parked.exact {
            100.0
        } else {
            100.0 * (SAMPLED_BLOCKS / tables.parked_blocks as f32).min(1.0)
        };
        let states = sqlx::query!(
            r#"SELECT p.state::text AS "state!", count(*) AS "rows!"
               FROM parked p TABLESAMPLE SYSTEM ($1) GROUP BY p.state"#,
            percent
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let read: i64 = states.iter().map(|row| row.rows).sum();
        let states = states.into_iter().map(|row| {
            let rows = if parked.exact {
                row.rows.unsigned_abs()
            } else {
                (parked.rows as f64 * row.rows as f64 / read as f64) as u64
            };
            let exact = parked.exact;
            (row.state, Count { rows, exact })
        });
        let partitions: Vec<i16> = self.partition_columns();
        let oldest = sqlx::query_file_scalar!(
            "src/execution/oldest_ready.sql",
            &partitions,
            (OLDEST_STEPS_MAX / i32::try_from(partitions.len()).unwrap_or(1)).max(1),
        )
        .fetch_one(&self.inner.reads)
        .await?;
        Ok(Counts {
            waiting: table(tables.waiting, tables.waiting_estimate),
            active: table(tables.active, tables.active_estimate),
            parked: states.collect(),
            oldest_waiting_ms: u64::try_from(oldest.unwrap_or(0)).unwrap_or(0),
        })
    }

    /// Returns the partitions as columns have them.
    pub(crate) fn partition_columns(&self) -> Vec<i16> {
        let partitions = self.instance().partitions.all();
        partitions.map(model::Partition::column).collect()
    }
}

/// Returns the size of a table of which rows were counted up to one more than the bound.
fn table(counted: i64, estimate: i64) -> Count {
    let exact = counted <= i64::from(Limits::COUNTED_MAX);
    let rows = if exact {
        counted
    } else {
        estimate.max(counted)
    };
    Count {
        rows: rows.unsigned_abs(),
        exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_beyond_the_bound_is_estimated_as_more_than_it() {
        let max = i64::from(Limits::COUNTED_MAX);
        for (counted, estimate, rows, exact) in [
            (0, 500, 0, true),
            (max, max * 9, max, true),
            (max + 1, max * 9, max * 9, false),
            // The statistics may be lost or late.
            (max + 1, 0, max + 1, false),
        ] {
            let rows = rows.unsigned_abs();
            assert_eq!(table(counted, estimate), Count { rows, exact });
        }
    }
}
