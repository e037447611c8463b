//! Hot statements keep their indexes: their generic plans read no table and no
//! partition whole.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};
use testkit::database;

/// Statement, number of parameters, and the indexes it relies on.
const STATEMENTS: &[(&str, &str, usize, &[&str])] = &[
    (
        "create",
        include_str!("../../host/engine/src/execution/create/create.sql"),
        29,
        &["execution_pkey"],
    ),
    (
        "claim",
        include_str!("../../host/engine/src/lease/claim/claim.sql"),
        10,
        &["ready_queue", "ready_pkey", "execution_pkey"],
    ),
    (
        "issue",
        include_str!("../../host/engine/src/grant/issue.sql"),
        8,
        &["ready_pkey"],
    ),
    (
        "next",
        include_str!("../../host/engine/src/grant/next.sql"),
        8,
        &["ready_queue"],
    ),
    (
        "probe",
        include_str!("../../host/engine/src/lane/probe.sql"),
        4,
        &["ready_queue"],
    ),
    (
        "probe_within",
        include_str!("../../host/engine/src/lane/probe_within.sql"),
        3,
        &["ready_queue"],
    ),
    (
        "renew",
        include_str!("../../host/engine/src/lease/renew.sql"),
        6,
        &["lease_pkey"],
    ),
    (
        "end_lease",
        include_str!("../../host/engine/src/lease/end/end.sql"),
        32,
        &["lease_pkey", "execution_pkey"],
    ),
    (
        "finish",
        include_str!("../../host/engine/src/execution/finish/finish.sql"),
        14,
        &[
            "lease_pkey",
            "ready_pkey",
            "parked_pkey",
            "timer_pkey",
            "suspension_open",
            "waitpoint_open",
        ],
    ),
    (
        "observe",
        include_str!("../../host/engine/src/lease/observe.sql"),
        4,
        &[
            "lease_pkey",
            "finished_pkey",
            "parked_pkey",
            "ready_pkey",
            "attempt_pkey",
        ],
    ),
    (
        "due_delays",
        include_str!("../../host/engine/src/reconcile/due_delays.sql"),
        2,
        &["parked_due", "execution_pkey"],
    ),
    (
        "finished_past_retention",
        include_str!("../../host/engine/src/reconcile/retention/finished_past_retention.sql"),
        5,
        &[
            "finished_pkey",
            "timer_due",
            "timer_pkey",
            "execution_pkey",
            "idempotency_pkey",
            "attempt_pkey",
            "tag_pkey",
            "suspension_pkey",
            "waitpoint_pkey",
            "signal_pkey",
            "stream_pkey",
            "live_log_pkey",
        ],
    ),
    (
        "repeated",
        include_str!("../../host/engine/src/signal/deliver/repeated.sql"),
        5,
        &["execution_pkey"],
    ),
    (
        "blocked_routes",
        include_str!("../../host/engine/src/reconcile/blocked_routes.sql"),
        3,
        &["parked_without_worker", "execution_pkey"],
    ),
    (
        "suspend",
        include_str!("../../host/engine/src/suspension/suspend/suspend.sql"),
        31,
        &["lease_pkey", "waitpoint_pkey"],
    ),
    (
        "early",
        include_str!("../../host/engine/src/suspension/suspend/early.sql"),
        19,
        &["lease_pkey", "waitpoint_pkey", "signal_pkey"],
    ),
    (
        "create_waitpoint",
        include_str!("../../host/engine/src/waitpoint/create.sql"),
        12,
        &["lease_pkey", "waitpoint_pkey", "waitpoint_open"],
    ),
    (
        "close_waitpoint",
        include_str!("../../host/engine/src/waitpoint/close.sql"),
        6,
        &["parked_pkey", "waitpoint_pkey"],
    ),
    (
        "snapshot",
        include_str!("../../host/engine/src/waitpoint/snapshot.sql"),
        6,
        &[
            "execution_pkey",
            "lease_pkey",
            "ready_pkey",
            "parked_pkey",
            "finished_pkey",
            "suspension_open",
            "signal_pkey",
            "waitpoint_pkey",
            "waitpoint_open",
            "waitpoint_closed",
            "waitpoint_closed_early",
        ],
    ),
    (
        "received",
        include_str!("../../host/engine/src/signal/received.sql"),
        3,
        &["signal_pkey"],
    ),
    (
        "existing",
        include_str!("../../host/engine/src/signal/deliver/existing.sql"),
        3,
        &["signal_by_key"],
    ),
    (
        "deliver",
        include_str!("../../host/engine/src/signal/deliver/deliver.sql"),
        36,
        &[
            "parked_pkey",
            "waitpoint_pkey",
            "suspension_open",
            "signal_pkey",
            "execution_pkey",
        ],
    ),
    (
        "resumption",
        include_str!("../../host/engine/src/lease/claim/resumption.sql"),
        6,
        &[
            "suspension_pkey",
            "lease_pkey",
            "signal_pkey",
            "waitpoint_pkey",
        ],
    ),
    (
        "suspension_timeouts",
        include_str!("../../host/engine/src/reconcile/suspension_timeouts/suspension_timeouts.sql"),
        2,
        &["parked_due", "suspension_open"],
    ),
    (
        "escalate",
        include_str!("../../host/engine/src/reconcile/suspension_timeouts/escalate.sql"),
        3,
        &["parked_pkey", "suspension_open", "execution_pkey"],
    ),
    (
        "unused_waitpoints",
        include_str!("../../host/engine/src/reconcile/unused_waitpoints.sql"),
        1,
        &["waitpoint_pending"],
    ),
    (
        "attempts",
        include_str!("../../host/engine/src/execution/timeline/attempts.sql"),
        5,
        &["attempt_pkey", "finished_pkey", "lease_pkey"],
    ),
    (
        "history",
        include_str!("../../host/engine/src/execution/timeline/history.sql"),
        7,
        &[
            "execution_pkey",
            "attempt_pkey",
            "finished_pkey",
            "lease_pkey",
            "operation_pkey",
        ],
    ),
    (
        "operations",
        include_str!("../../host/engine/src/operator/operations.sql"),
        4,
        &["operation_pkey"],
    ),
    (
        "signals",
        include_str!("../../host/engine/src/signal/list.sql"),
        5,
        &["signal_pkey", "waitpoint_pkey"],
    ),
    (
        "suspensions",
        include_str!("../../host/engine/src/suspension/read.sql"),
        5,
        &["suspension_pkey"],
    ),
    (
        "waitpoints",
        include_str!("../../host/engine/src/waitpoint/list.sql"),
        6,
        &["waitpoint_pkey", "execution_pkey"],
    ),
    (
        "open_waitpoints",
        include_str!("../../host/engine/src/waitpoint/open.sql"),
        3,
        &["waitpoint_open", "execution_pkey"],
    ),
    (
        "scan",
        include_str!("../../host/engine/src/grant/scan.sql"),
        7,
        &["ready_queue"],
    ),
    (
        "waiting",
        include_str!("../../host/engine/src/lane/waiting.sql"),
        4,
        &["ready_queue"],
    ),
    (
        "oldest_ready",
        include_str!("../../host/engine/src/execution/oldest_ready.sql"),
        2,
        &["ready_queue"],
    ),
    (
        "pending_waitpoints",
        include_str!("../../host/engine/src/waitpoint/pending.sql"),
        5,
        &["waitpoint_pending", "execution_pkey", "finished_pkey"],
    ),
    (
        "suspended",
        include_str!("../../host/engine/src/suspension/list.sql"),
        5,
        &["parked_suspended", "execution_pkey"],
    ),
    (
        "expired_leases",
        include_str!("../../host/engine/src/lease/list_expired.sql"),
        5,
        &["lease_pkey"],
    ),
    (
        "append",
        include_str!("../../host/engine/src/stream/append/append.sql"),
        28,
        // The rows of a batch are joined at once, and not each with each.
        &["lease_pkey", "stream_pkey", "Merge Full Join"],
    ),
    (
        "stream_state",
        include_str!("../../host/engine/src/stream/append/state.sql"),
        4,
        &["stream_pkey", "execution_pkey", "stream_summary_pkey"],
    ),
    (
        "recognized",
        include_str!("../../host/engine/src/stream/append/recognized.sql"),
        5,
        &["stream_pkey", "stream_frame_pkey"],
    ),
    (
        "trim",
        include_str!("../../host/engine/src/stream/append/trim.sql"),
        4,
        &["stream_pkey", "stream_frame_pkey"],
    ),
    (
        "trim_due",
        include_str!("../../host/engine/src/reconcile/retention/trim_due.sql"),
        4,
        &["stream_pkey", "stream_frame_pkey", "stream_summary_pkey"],
    ),
    (
        "frames",
        include_str!("../../host/engine/src/stream/read/frames.sql"),
        8,
        &[
            "execution_pkey",
            "lease_pkey",
            "parked_pkey",
            "ready_pkey",
            "finished_pkey",
            "attempt_pkey",
            "suspension_pkey",
            "stream_pkey",
            "stream_frame_pkey",
        ],
    ),
    (
        "append_log",
        include_str!("../../host/engine/src/stream/log/append.sql"),
        7,
        &["lease_pkey"],
    ),
    (
        "read_log",
        include_str!("../../host/engine/src/stream/log/read.sql"),
        7,
        &[
            "attempt_pkey",
            "finished_pkey",
            "lease_pkey",
            "live_log_pkey",
        ],
    ),
];

const TABLES: [&str; 22] = [
    "execution",
    "ready",
    "lease",
    "parked",
    "finished",
    "attempt",
    "timer",
    "idempotency",
    "event",
    "suspension",
    "waitpoint",
    "signal",
    "operation",
    "stream",
    "stream_frame",
    "stream_summary",
    "live_log",
    "flow",
    "flow_member",
    "flow_edge",
    "flow_group",
    "flow_due",
];

#[tokio::test(flavor = "multi_thread")]
async fn hot_statements_read_by_index_only() {
    let mut connection = database().await.connection().await;
    set_planner(&mut connection).await;
    let mut wrong = Vec::new();
    for (name, statement, parameters, indexes) in STATEMENTS {
        wrong.extend(faults(&mut connection, name, statement, *parameters, indexes).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Has a session plan as those of the engine do.
pub(super) async fn set_planner(connection: &mut PgConnection) {
    for (setting, value) in engine::PLANNER {
        connection
            .execute(AssertSqlSafe(format!("SET {setting} = {value}")))
            .await
            .expect("set");
    }
}

/// Returns the plan of a statement that was prepared under a name.
pub(super) async fn plan(connection: &mut PgConnection, name: &str, parameters: usize) -> String {
    let nulls = vec!["NULL"; parameters].join(", ");
    let rows = connection
        .fetch_all(AssertSqlSafe(format!(
            "EXPLAIN EXECUTE plan_of_{name}({nulls})"
        )))
        .await
        .expect(name);
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    plan.join("\n")
}

/// Prepares a statement, and returns what is wrong with its plan.
pub(super) async fn faults(
    connection: &mut PgConnection,
    name: &str,
    statement: &str,
    parameters: usize,
    indexes: &[&str],
) -> Vec<String> {
    let prepare = format!("PREPARE plan_of_{name} AS {statement}");
    connection
        .execute(AssertSqlSafe(prepare))
        .await
        .expect(name);
    let plan = plan(connection, name, parameters).await;
    let mut wrong = Vec::new();
    for table in TABLES {
        if plan.contains(&format!("Seq Scan on {table} ")) {
            wrong.push(format!("{name} reads {table} whole:\n{plan}"));
        }
    }
    // Every row of a partition, where the one of a key is wanted.
    let of_partition = [
        "Index Cond: (partition = $1)",
        "Index Cond: (partition = i.partition)",
    ];
    if plan.lines().any(|line| of_partition.contains(&line.trim())) {
        wrong.push(format!("{name} reads a whole partition:\n{plan}"));
    }
    // Those of sweeps lead with a time: who looks for one execution reads all.
    for index in ["waitpoint_pending", "parked_suspended"] {
        if plan.contains(index) && !indexes.contains(&index) {
            wrong.push(format!("{name} reads {index} whole:\n{plan}"));
        }
    }
    for index in indexes {
        if !plan.contains(index) {
            wrong.push(format!("{name} does not use {index}:\n{plan}"));
        }
    }
    wrong
}
