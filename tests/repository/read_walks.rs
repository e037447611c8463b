//! Lists that look at rows which they do not show, and what is read for a signal, touch no
//! more pages when there are more such rows.

use std::ops::Range;

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use testkit::database;

use super::plans::set_planner;
use super::plans_at_scale::pages;

/// Rows that are not shown: more than a list looks at, and then three times as many.
const FEW: u32 = 6_000;
const MANY: u32 = 18_000;
/// The last execution, which is shown: behind all others in every order.
const SHOWN: u32 = 1_000_000;

/// Writes an execution of a namespace for each number: suspended, with a pending waitpoint,
/// a lease that holds and, one for each, closed waitpoints of the last execution.
async fn write(connection: &mut PgConnection, numbers: Range<u32>, namespace: &str) {
    let (first, last) = (numbers.start, numbers.end - 1);
    let id = |n: &str| {
        format!(
            "(lpad(to_hex(1780000000000 + {n}::bigint), 12, '0') || '70008' || lpad(to_hex({n}), 15, '0'))::uuid"
        )
    };
    let (of_row, shown) = (id("n"), id(&SHOWN.to_string()));
    let script = format!(
        "CREATE TEMP TABLE made AS SELECT n, {of_row} AS id FROM generate_series({first}, {last}) AS n;
         INSERT INTO execution (partition, id, namespace, lane, kind, priority, input, input_type,
                                max_reclaims, has_tags)
         SELECT 0, id, '{namespace}', 'l', 'k', 0, '', 'text/plain', 9, false FROM made;
         INSERT INTO parked (partition, execution_id, state, reason, parked_at, lane, rank, epoch,
                             attempts, retries, reclaims, replays, next_type, resumes,
                             suspension_id)
         SELECT 0, id, 'suspended', 'waiting_for_signal',
                timestamptz '2026-01-01' + n * interval '1 second', 'l', 9000, 1, 1, 0, 0, 0,
                'initial', true, gen_random_uuid()
         FROM made;
         INSERT INTO lease (partition, execution_id, lease_id, epoch, namespace, lane, rank,
                            worker_instance_id, attempt, attempt_type, retries, reclaims, replays,
                            expires_at)
         SELECT 0, id, gen_random_uuid(), 1, '{namespace}', 'l', 9000, 'w', 0, 'initial', 0, 0, 0,
                clock_timestamp() + CASE WHEN n < {SHOWN} THEN 1 ELSE -1 END * interval '1 day'
         FROM made;
         INSERT INTO waitpoint (partition, execution_id, id, key, state, token_kid,
                                token_fingerprint, expires_at)
         SELECT 0, id, id, 'a', 'pending', 'k', '0123456789abcdef',
                timestamptz '2026-01-01' + n * interval '1 second'
         FROM made;
         INSERT INTO waitpoint (partition, execution_id, id, key, state, suspension_id, token_kid,
                                token_fingerprint, closed_at, close_reason)
         SELECT 0, {shown}, id, 'again', 'closed', gen_random_uuid(), 'k', '0123456789abcdef',
                clock_timestamp(), 'resumed'
         FROM made WHERE n < {SHOWN};
         DROP TABLE made"
    );
    let written = connection.execute(AssertSqlSafe(script)).await;
    written.expect("written");
    connection
        .execute("VACUUM ANALYZE")
        .await
        .expect("vacuumed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_shown_is_looked_at_in_bounded_number() {
    let mut connection = database().await.connection().await;
    set_planner(&mut connection).await;
    let most = model::Limits::WALKED_MAX;
    let shown = format!(
        "(lpad(to_hex(1780000000000 + {SHOWN}::bigint), 12, '0') || '70008' || lpad(to_hex({SHOWN}), 15, '0'))::uuid"
    );
    let in_namespace = format!("'shown', NULL, NULL, 51, {most}");
    // Name, statement, arguments, and the rows of an answer that found nothing yet.
    let reads = [
        (
            "suspended executions of a namespace",
            include_str!("../../host/engine/src/suspension/list.sql"),
            in_namespace.clone(),
        ),
        (
            "pending waitpoints of a namespace",
            include_str!("../../host/engine/src/waitpoint/pending.sql"),
            in_namespace,
        ),
        (
            "expired leases",
            include_str!("../../host/engine/src/lease/list_expired.sql"),
            format!("NULL, -1::smallint, '00000000-0000-0000-0000-000000000000', 51, {most}"),
        ),
        (
            "expired waitpoints of an execution",
            include_str!("../../host/engine/src/waitpoint/list.sql"),
            format!(
                "0::smallint, {shown}, 'expired', '00000000-0000-0000-0000-000000000000', 51, {most}"
            ),
        ),
        (
            "what an execution waits for",
            include_str!("../../host/engine/src/waitpoint/snapshot.sql"),
            format!(
                "0::smallint, ARRAY[{shown}], ARRAY[{shown}], ARRAY[{shown}], ARRAY[{shown}], '{{again}}'"
            ),
        ),
    ];
    write(&mut connection, SHOWN..SHOWN + 1, "shown").await;
    write(&mut connection, 0..FEW, "others").await;
    let (mut touched, mut wrong) = (Vec::new(), Vec::new());
    for (name, statement, arguments) in &reads {
        let (pages, rows) = pages(&mut connection, statement, arguments).await;
        // Where a list stopped, or the execution.
        if rows != 1 {
            wrong.push(format!("{name}: {rows} rows"));
        }
        touched.push(pages);
    }
    write(&mut connection, FEW..MANY, "others").await;
    for ((name, statement, arguments), few) in reads.iter().zip(touched) {
        let (many, _) = pages(&mut connection, statement, arguments).await;
        // Indexes may be a level deeper.
        if many > few + few / 2 + 20 {
            wrong.push(format!(
                "{name}: {many} pages among {MANY} other rows, {few} among {FEW}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
