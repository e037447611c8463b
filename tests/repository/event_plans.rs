//! Reads of the event log, and what keeps it small, keep their indexes at every size of the
//! tables, and touch no more pages when the tables are large.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use testkit::database;

use super::plans::{faults, plan, set_planner};
use super::plans_at_scale::pages;

const READ: &str = include_str!("../../host/engine/src/event/read.sql");
const FITTING: &str = include_str!("../../host/engine/src/event/fitting.sql");
const CLASSES: &str = include_str!("../../host/engine/src/event/classes.sql");
const CLASSES_USED: &str = include_str!("../../host/engine/src/event/classes_used.sql");
const UNUSED: &str = include_str!("../../host/engine/src/reconcile/retention/unused_classes.sql");
const REMOVED: &str =
    include_str!("../../host/engine/src/reconcile/retention/removed_executions.sql");
const PAST: &str =
    include_str!("../../host/engine/src/reconcile/retention/events_past_retention.sql");
const BYTES: &str = include_str!("../../host/engine/src/reconcile/retention/log_bytes.sql");

/// Statement, number of parameters, and the indexes it relies on.
const STATEMENTS: &[(&str, &str, usize, &[&str])] = &[
    (
        "read",
        READ,
        12,
        &["event_pkey", "execution_class_pkey", "execution_pkey"],
    ),
    (
        "fitting",
        FITTING,
        5,
        &["execution_pkey", "tag_pkey", "removed_execution_pkey"],
    ),
    ("classes", CLASSES, 3, &["execution_class_is_one"]),
    (
        "classes_used",
        CLASSES_USED,
        3,
        &["execution_class_is_one", "execution_class_pkey"],
    ),
    (
        "unused_classes",
        UNUSED,
        3,
        &[
            "execution_class_pkey",
            "execution_by_kind",
            "execution_by_namespace",
            "event_pkey",
        ],
    ),
    (
        "removed_executions",
        REMOVED,
        2,
        &["removed_execution_in_order", "event_pkey"],
    ),
    ("events_past_retention", PAST, 4, &["event_pkey"]),
    ("log_bytes", BYTES, 2, &["event_pkey"]),
];

/// Tables that no statement may read whole.
const TABLES: [&str; 5] = [
    "event",
    "execution",
    "execution_class",
    "removed_execution",
    "tag",
];

/// Writes executions, half of them removed, and ten events of each execution, in rows of
/// twenty: of numbers from one to another.
async fn write(connection: &mut PgConnection, from: u32, to: u32) {
    let script = format!(
        "CREATE TEMP TABLE made AS
         SELECT n, (lpad(to_hex(1780000000000 + n * 1000), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid AS id
         FROM generate_series({from}, {to}::bigint) AS n;
         INSERT INTO execution_class (namespace, lane, kind)
         SELECT 'n' || n, 'l', 'k' FROM made WHERE n % 10 = 0;
         INSERT INTO execution (partition, id, namespace, lane, kind, priority, input, input_type,
                                max_reclaims, has_tags)
         SELECT 0, id, 'n' || n % 50, 'l', 'k' || n % 7, 0, '', 'text/plain', 9, true
         FROM made WHERE n % 2 = 0;
         INSERT INTO tag SELECT 0, id, 'app.customer', 'c' || n % 1000 FROM made WHERE n % 2 = 0;
         INSERT INTO removed_execution (partition, execution_id, tag_keys, tag_values, removed_at)
         SELECT 0, id, '{{app.customer}}', ARRAY['c' || n % 1000],
                timestamptz '2026-01-01' + n * interval '1 second'
         FROM made WHERE n % 2 = 1;
         INSERT INTO event (partition, stripe, kinds, execution_ids, classes, namespaces, epochs)
         SELECT 0, 0, array_fill('created'::event_kind, '{{20}}'), array_agg(id) || array_agg(id),
                array_fill(1, '{{20}}'), array_fill(NULL::text, '{{20}}'), array_fill(1::bigint, '{{20}}')
         FROM made, generate_series(1, 5) GROUP BY n / 2 HAVING count(*) = 10;
         DROP TABLE made"
    );
    let written = connection.execute(AssertSqlSafe(script)).await;
    written.expect("written");
    let vacuumed = connection.execute("VACUUM ANALYZE").await;
    vacuumed.expect("vacuumed");
}

async fn all_faults(connection: &mut PgConnection, size: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, statement, parameters, indexes) in STATEMENTS {
        let found = faults(connection, name, statement, *parameters, indexes).await;
        wrong.extend(found.into_iter().map(|fault| format!("{size}: {fault}")));
        let plan = plan(connection, name, *parameters).await;
        for table in TABLES {
            if plan.contains(&format!("Seq Scan on {table} ")) {
                wrong.push(format!("{size}: {name} reads {table} whole:\n{plan}"));
            }
        }
    }
    let forgotten = connection.execute("DEALLOCATE ALL").await;
    forgotten.expect("statements are prepared again");
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_of_the_log_keep_their_indexes_at_every_size() {
    let mut connection = database().await.connection().await;
    set_planner(&mut connection).await;
    let mut wrong = all_faults(&mut connection, "new tables").await;
    let vacuumed = connection.execute("VACUUM ANALYZE").await;
    vacuumed.expect("vacuumed");
    wrong.extend(all_faults(&mut connection, "emptied tables").await);
    write(&mut connection, 1, 200_000).await;
    wrong.extend(all_faults(&mut connection, "large tables").await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_of_the_log_touch_no_more_pages_in_a_large_one() {
    let mut connection = database().await.connection().await;
    set_planner(&mut connection).await;
    let read = |filters: &str| {
        format!("0, 0, 0, 9223372036854775807, 0, 512, 1000, '{{renewed}}', {filters}")
    };
    let some = "(lpad(to_hex(1780000000000 + 777000), 12, '0') || '70008' || lpad(to_hex(777), 15, '0'))::uuid";
    let ids: Vec<String> = (1..=500)
        .map(|n| some.replace("777", &n.to_string()))
        .collect();
    let ids = format!(
        "array_fill(0::smallint, '{{500}}'), ARRAY[{}]",
        ids.join(", ")
    );
    let reads = [
        ("read all", READ, read("NULL, NULL, NULL, NULL")),
        ("read a namespace", READ, read("'n10', NULL, NULL, NULL")),
        (
            "read a lane of none",
            READ,
            read("NULL, 'none', NULL, NULL"),
        ),
        ("read a kind", READ, read("NULL, NULL, 'k', NULL")),
        (
            "read an execution",
            READ,
            read(&format!("NULL, NULL, NULL, {some}")),
        ),
        (
            "fitting a label",
            FITTING,
            format!("{ids}, NULL, 'app.customer', 'c7'"),
        ),
        (
            "fitting a flow",
            FITTING,
            format!("{ids}, gen_random_uuid(), NULL, NULL"),
        ),
        (
            "classes",
            CLASSES,
            "'{n10,n20,none}', '{l,l,l}', '{k,k,k}'".to_owned(),
        ),
        (
            "classes used",
            CLASSES_USED,
            "'{n10,n20,none}', '{l,l,l}', '{k,k,k}'".to_owned(),
        ),
        ("unused classes", UNUSED, "0, 100, 0".to_owned()),
        ("removed executions", REMOVED, "500, 0".to_owned()),
        ("log bytes", BYTES, "0, 50".to_owned()),
    ];
    write(&mut connection, 1, 12_000).await;
    let mut small = Vec::new();
    for (name, statement, arguments) in &reads {
        let (touched, rows) = pages(&mut connection, statement, arguments).await;
        println!("{name}: {touched} pages, {rows} rows");
        small.push(touched);
    }
    write(&mut connection, 12_001, 200_000).await;
    let mut wrong = Vec::new();
    for ((name, statement, arguments), small) in reads.iter().zip(small) {
        let (touched, _) = pages(&mut connection, statement, arguments).await;
        println!("{name}: {touched} pages in a large log, {small} in a small one");
        // Indexes are a level deeper.
        if touched > small * 3 / 2 + 100 {
            wrong.push(format!(
                "{name} touches {touched} pages, and {small} in a small log"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
