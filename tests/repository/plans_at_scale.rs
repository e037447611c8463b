//! What claims read when the queue is long: pages touched, which do not depend on the
//! machine.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use testkit::database;

use crate::support::server::backlog::backlog;

/// Executions of other kinds that wait before the rare ones.
const OTHERS: u32 = 1_000_000;
/// Executions of the rare kind, and how many of them a claim asks for.
const RARE: u32 = 50;

/// Runs a statement, undoes it, and returns the pages that it touched and the rows it
/// returned.
pub(super) async fn pages(
    connection: &mut PgConnection,
    statement: &str,
    arguments: &str,
) -> (i64, i64) {
    let begin = format!("BEGIN; PREPARE it AS {statement}");
    let begun = sqlx::raw_sql(AssertSqlSafe(begin))
        .execute(&mut *connection)
        .await;
    begun.expect("prepared");
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE it({arguments})");
    let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain))
        .fetch_one(&mut *connection)
        .await
        .expect("explained");
    let ended = connection.execute("ROLLBACK; DEALLOCATE it").await;
    ended.expect("undone");
    let of = |name: &str| plan[0]["Plan"][name].as_f64().expect("a number") as i64;
    (
        of("Shared Hit Blocks") + of("Shared Read Blocks"),
        of("Actual Rows"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_a_rare_kind_touches_no_more_pages_behind_a_million_of_others() {
    let mut connection = database().await.connection().await;
    for (setting, value) in engine::PLANNER {
        let set = format!("SET {setting} = {value}");
        connection.execute(AssertSqlSafe(set)).await.expect("set");
    }
    let claim = include_str!("../../host/engine/src/lease/claim/claim.sql");
    let next = include_str!("../../host/engine/src/grant/next.sql");
    let probe = include_str!("../../host/engine/src/lane/probe.sql");
    let fifty = (0..49).map(|n| format!("served-{n}")).collect::<Vec<_>>();
    let asked = |kinds: &str| {
        format!(
            "0::smallint, 'w', 1000, {kinds}, '{{}}', '{{default}}', '{{default}}', '{{{RARE}}}', NULL, NULL"
        )
    };
    let granted = |kinds: &str| {
        format!("0::smallint, 'default', {kinds}, '{{}}', 'w', gen_random_uuid(), 1000, NULL")
    };
    let asks = [
        ("claim", claim, asked("'{rare}'"), RARE.into()),
        (
            "claim of fifty kinds",
            claim,
            asked(&format!("'{{{},rare}}'", fifty.join(","))),
            RARE.into(),
        ),
        ("claim in vain", claim, asked("'{absent}'"), 0),
        ("claim of any", claim, asked("NULL"), RARE.into()),
        ("next", next, granted("'{rare}'"), 1),
        (
            "probe",
            probe,
            "0::smallint, 64, '{default}', '{\"\"}'".to_owned(),
            1,
        ),
    ];
    let recent = "timestamptz '2026-02-01' + n * interval '1 millisecond'";
    backlog(&mut connection, 0..RARE, ("'rare'", "9000", recent)).await;
    let mut alone = Vec::new();
    for (_, statement, arguments, _) in &asks {
        alone.push(pages(&mut connection, statement, arguments).await.0);
    }
    let before = "timestamptz '2026-01-01' + n * interval '1 millisecond'";
    let others = ("'other-' || n % 5", "n % 9000", before);
    backlog(&mut connection, RARE..RARE + OTHERS, others).await;
    connection.execute("ANALYZE ready").await.expect("analyzed");
    for ((name, statement, arguments, expected), alone) in asks.iter().zip(alone) {
        let (touched, rows) = pages(&mut connection, statement, arguments).await;
        assert_eq!(rows, *expected, "{name}");
        // The index is two levels deeper, and a claim steps down it once for each kind
        // and for each row that it takes away and puts elsewhere.
        assert!(
            touched <= 3 * alone + 200,
            "{name} touches {touched} pages, and {alone} without a backlog"
        );
    }
}
