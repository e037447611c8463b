//! Statements of flows keep their indexes, as those of executions do.

use testkit::database;

use super::plans::{faults, set_planner};

/// Statement, number of parameters, and the indexes it relies on.
const STATEMENTS: &[(&str, &str, usize, &[&str])] = &[
    (
        "flow_change",
        include_str!("../../host/engine/src/flow/change/change.sql"),
        66,
        &[
            "flow_pkey",
            "ready_pkey",
            "parked_pkey",
            "lease_pkey",
            "finished_pkey",
        ],
    ),
    (
        "flow_snapshot",
        include_str!("../../host/engine/src/flow/change/snapshot.sql"),
        4,
        &[
            "flow_pkey",
            "flow_member_by_name",
            "execution_pkey",
            "flow_group_pkey",
        ],
    ),
    (
        "flow_between",
        include_str!("../../host/engine/src/flow/change/between.sql"),
        3,
        &["flow_edge_pkey"],
    ),
    (
        "flow_due",
        include_str!("../../host/engine/src/flow/resolve/due.sql"),
        3,
        &[
            "flow_due_pkey",
            "flow_pkey",
            "flow_member_pkey",
            "finished_pkey",
        ],
    ),
    (
        "flow_edges",
        include_str!("../../host/engine/src/flow/resolve/edges.sql"),
        2,
        &[
            "flow_edge_pkey",
            "flow_group_pkey",
            "execution_pkey",
            "parked_pkey",
        ],
    ),
    (
        "flow_resolve",
        include_str!("../../host/engine/src/flow/resolve/resolve.sql"),
        36,
        &[
            "flow_pkey",
            "flow_due_pkey",
            "flow_member_pkey",
            "flow_edge_pkey",
            "flow_group_pkey",
            "parked_pkey",
            "execution_pkey",
        ],
    ),
    (
        "replay",
        include_str!("../../host/engine/src/operator/replay.sql"),
        20,
        &[
            "finished_pkey",
            "execution_pkey",
            "flow_member_pkey",
            "flow_group_pkey",
        ],
    ),
    (
        "flow_cancel",
        include_str!("../../host/engine/src/flow/cancel/cancel.sql"),
        6,
        &["flow_pkey", "flow_member_pkey"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_flows_read_by_index_only() {
    let mut connection = database().await.connection().await;
    set_planner(&mut connection).await;
    let mut wrong = Vec::new();
    for (name, statement, parameters, indexes) in STATEMENTS {
        wrong.extend(faults(&mut connection, name, statement, *parameters, indexes).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
