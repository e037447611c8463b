//! Reads of executions keep their indexes at every size of the tables: new, emptied and
//! vacuumed, which makes all indexes look alike, and large.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use testkit::database;

use super::plans::{faults, set_planner};

/// Statement, number of parameters, and the indexes it relies on.
const READS: &[(&str, &str, usize, &[&str])] = &[
    (
        "info",
        include_str!("../../host/engine/src/execution/info.sql"),
        2,
        &[
            "execution_pkey",
            "finished_pkey",
            "lease_pkey",
            "parked_pkey",
            "ready_pkey",
            "attempt_pkey",
            "timer_pkey",
            "tag_pkey",
        ],
    ),
    (
        "newest",
        include_str!("../../host/engine/src/execution/list/newest.sql"),
        4,
        &["execution_pkey"],
    ),
    (
        "by_state",
        include_str!("../../host/engine/src/execution/list/by_state.sql"),
        10,
        &[
            "lease_pkey",
            "ready_pkey",
            "parked_pkey",
            "finished_pkey",
            "finished_badly",
        ],
    ),
    (
        "by_label",
        include_str!("../../host/engine/src/execution/list/by_label.sql"),
        5,
        &["tag_by_value"],
    ),
    (
        "by_kind",
        include_str!("../../host/engine/src/execution/list/by_kind.sql"),
        4,
        &["execution_by_kind"],
    ),
    (
        "by_namespace",
        include_str!("../../host/engine/src/execution/list/by_namespace.sql"),
        4,
        &["execution_by_namespace"],
    ),
    (
        "by_end",
        include_str!("../../host/engine/src/execution/list/by_end.sql"),
        5,
        &["finished_by_end"],
    ),
    (
        "matches",
        include_str!("../../host/engine/src/execution/list/matches.sql"),
        17,
        &[
            "execution_pkey",
            "tag_",
            "finished_pkey",
            "lease_pkey",
            "ready_pkey",
            "parked_pkey",
        ],
    ),
];

/// A history in which everything else is small, as it mostly is.
const HISTORY: &str = "
    CREATE TEMP TABLE made AS
    SELECT n, (lpad(to_hex(1780000000000 + n * 1000), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid AS id
    FROM generate_series(1, 200000) AS n;
    INSERT INTO execution (partition, id, namespace, lane, kind, priority, input, input_type,
                           max_reclaims, has_tags)
    SELECT 0, id, 'n' || n % 5, 'l' || n % 3, 'k' || n % 7, 0, '', 'text/plain', 9, n % 10 = 0 FROM made;
    INSERT INTO tag SELECT 0, id, 'app.customer', 'c' || n % 1000 FROM made WHERE n % 10 = 0;
    INSERT INTO finished (partition, execution_id, outcome, finished_at, epoch, attempts, retries,
                          reclaims, replays)
    SELECT 0, id, (ARRAY['success', 'failed', 'cancelled'])[1 + (n % 50 = 0)::int + (n % 100 = 0)::int]::outcome,
           clock_timestamp() - (200000 - n) * interval '1 second', 1, 1, 0, 0, 0
    FROM made WHERE n <= 199000;
    INSERT INTO attempt (partition, execution_id, epoch, attempt, attempt_type, lease_id,
                         worker_instance_id, acquired_at, ended, renewals)
    SELECT 0, id, 1, 0, 'initial', gen_random_uuid(), 'w', clock_timestamp(), 'failure', 0
    FROM made WHERE n % 20 = 0;
    INSERT INTO timer SELECT 0, id, 'execution_deadline', clock_timestamp() FROM made WHERE n % 40 = 0;
    INSERT INTO ready (partition, execution_id, namespace, lane, rank, kind, epoch, attempts, retries,
                       reclaims, replays, next_type, resumes)
    SELECT 0, id, 'n1', 'l1', 9000, 'k1', 0, 0, 0, 0, 0, 'initial', false
    FROM made WHERE n > 199000 AND n % 2 = 0;
    INSERT INTO lease (partition, execution_id, lease_id, epoch, namespace, lane, rank,
                       worker_instance_id, attempt, attempt_type, retries, reclaims, replays, expires_at)
    SELECT 0, id, gen_random_uuid(), 1, 'n1', 'l1', 9000, 'w', 0, 'initial', 0, 0, 0, clock_timestamp()
    FROM made WHERE n > 199000 AND n % 4 = 1;
    INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank, epoch, attempts,
                        retries, reclaims, replays, next_type, resumes)
    SELECT 0, id, 'delayed', 'waiting_for_delay', clock_timestamp(), 'l1', 9000, 1, 1, 0, 0, 0,
           'initial', false
    FROM made WHERE n > 199000 AND n % 4 = 3;
";

async fn faults_of_reads(connection: &mut PgConnection, size: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, statement, parameters, indexes) in READS {
        let found = faults(connection, name, statement, *parameters, indexes).await;
        wrong.extend(found.into_iter().map(|fault| format!("{size}: {fault}")));
        // Each but `info`, which sorts the labels of one execution, reads in an order that
        // an index has.
        let plan = super::plans::plan(connection, name, *parameters).await;
        let sorts = plan
            .lines()
            .any(|line| line.trim_start_matches([' ', '-', '>']).starts_with("Sort"));
        if sorts {
            wrong.push(format!("{size}: {name} sorts what it reads:\n{plan}"));
        }
    }
    connection
        .execute("DEALLOCATE ALL")
        .await
        .expect("statements are prepared again");
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_of_executions_keep_their_indexes_at_every_size() {
    let mut connection = database().await.connection().await;
    set_planner(&mut connection).await;
    let mut wrong = faults_of_reads(&mut connection, "new tables").await;
    connection
        .execute("VACUUM ANALYZE")
        .await
        .expect("vacuumed");
    wrong.extend(faults_of_reads(&mut connection, "emptied tables").await);
    connection
        .execute(AssertSqlSafe(HISTORY))
        .await
        .expect("a history is written");
    connection
        .execute("VACUUM ANALYZE")
        .await
        .expect("vacuumed");
    wrong.extend(faults_of_reads(&mut connection, "large tables").await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
