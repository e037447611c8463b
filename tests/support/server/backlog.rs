//! Ready executions written by SQL, as many as a test wants.

use std::ops::Range;

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

/// Makes an execution ready for each of these numbers, in the default lane and namespace:
/// its kind, rank and time are SQL over `n`. Writes no events.
pub(crate) async fn backlog(
    connection: &mut PgConnection,
    numbers: Range<u32>,
    (kind, rank, ready_at): (&str, &str, &str),
) {
    let statement = format!(
        "WITH made AS MATERIALIZED (
             SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS id,
                    {kind} AS kind, ({rank})::smallint AS rank, {ready_at} AS ready_at
             FROM generate_series({}, {}) AS n
         ),
         executions AS (
             INSERT INTO execution (partition, id, namespace, lane, kind, priority, input,
                                    input_type, max_reclaims, has_tags)
             SELECT 0, id, 'default', 'default', kind, 9000 - rank, '', 'text/plain', 1000, false
             FROM made
         )
         INSERT INTO ready (partition, execution_id, lane, namespace, rank, ready_at, kind, epoch,
                            attempts, retries, reclaims, replays, next_type, resumes)
         SELECT 0, id, 'default', 'default', rank, ready_at, kind, 0, 0, 0, 0, 0, 'initial', false
         FROM made",
        numbers.start,
        i64::from(numbers.end) - 1
    );
    let filled = connection.execute(AssertSqlSafe(statement)).await;
    filled.expect("the queue is filled");
}
