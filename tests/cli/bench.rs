//! `flowhost bench` on the command line.

use std::path::PathBuf;

use engine::ApiKeyFilter;
use model::Scope;
use serde_json::Value;
use testkit::{Database, database};

use crate::support::api::command;

#[tokio::test(flavor = "multi_thread")]
async fn bench_takes_its_lists_as_its_help_shows_them() {
    let (code, help, _) = command(&["bench", "--help"]).await;
    assert_eq!(code, 0);
    // What stands in the brackets after each list is accepted, as is the same
    // with commas. A component that is not there ends the command before it
    // measures anything.
    let missing = PathBuf::from("/nonexistent/echo.wasm");
    let missing = missing.to_str().expect("text");
    let is_list = |default: &str| default.bytes().all(|b| b == b' ' || b.is_ascii_digit());
    let defaults: Vec<&str> = help
        .split("[default: ")
        .skip(1)
        .filter_map(|rest| rest.split(']').next())
        .filter(|default| default.contains(' ') && is_list(default))
        .collect();
    assert_eq!(defaults.len(), 2, "{help}");
    for (option, default) in ["--in-flight", "--backlog"].into_iter().zip(defaults) {
        for values in [
            default.split(' ').collect::<Vec<_>>(),
            vec![&*default.replace(' ', ",")],
        ] {
            let arguments = [
                &["bench", option][..],
                &values,
                &[
                    "--config",
                    "/nonexistent/flowhost.toml",
                    "--component",
                    missing,
                ],
            ]
            .concat();
            let (code, _, errors) = command(&arguments).await;
            assert!(errors.contains("configuration file"), "{option}: {errors}");
            assert_eq!(code, 2, "{errors}");
        }
    }
}

/// Returns what a short run finds that measures only `part`.
async fn measured(database: &Database, part: &str) -> Value {
    let component = concat!(env!("CARGO_MANIFEST_DIR"), "/guest-examples/out/echo.wasm");
    let (code, found, errors) = command(&[
        "bench",
        part,
        "--quick",
        "--span",
        "100ms",
        "--slots",
        "8",
        "--component",
        component,
        "--database-url",
        database.url(),
        "--i-accept-loss",
        "--json",
    ])
    .await;
    assert_eq!(code, 0, "{errors}");
    serde_json::from_str(&found).expect("JSON")
}

fn is_above_zero(number: &Value) -> bool {
    number.as_f64().is_some_and(|number| number > 0.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_measures_what_authentication_costs() {
    let database = database().await;
    let found = measured(&database, "--authentication").await;
    let cost = &found["cost"];
    for time in ["health_us", "guarded_health_us", "open_us", "keyed_us"] {
        assert!(is_above_zero(&cost[time]), "{time}: {found}");
    }
    assert!(cost["share"].is_f64(), "{found}");
    let wrong_keys = found["wrong_keys"].as_array().expect("a list");
    // Some systems have one address of loopback only.
    assert!([2, 4].contains(&wrong_keys.len()), "{found}");
    for beside in wrong_keys {
        for number in ["wrong_per_second", "beside_per_second", "ratio"] {
            assert!(is_above_zero(&beside[number]), "{number}: {found}");
        }
    }
    // The key of the benchmark does not outlive it.
    let filter = ApiKeyFilter {
        within: Scope::Everywhere,
        name: None,
        accepted_only: false,
    };
    let keys = database.engine().await.api_keys(&filter, None, 10).await;
    let keys = keys.expect("the database answers").rows;
    assert_eq!(keys.len(), 1);
    assert!(keys[0].revoked_at.is_some(), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_measures_the_event_log_and_its_readers() {
    let database = database().await;
    let found = measured(&database, "--events").await;
    let latency = &found["latency"];
    for time in ["p99_us", "from_call_p50_us", "commit_us"] {
        assert!(is_above_zero(&latency[time]), "{time}: {found}");
    }
    for cost in found["cost"].as_array().expect("a list") {
        assert!(is_above_zero(&cost["time_us"]), "{found}");
        // The table grows by pages, and a short run may fit in those that are there.
        let grown = cost["table_bytes"].as_f64();
        assert!(grown.is_some_and(|bytes| bytes >= 0.0), "{found}");
        assert!(is_above_zero(&cost["lifecycles"]["wal_bytes"]), "{found}");
    }
    // The command fails unless the readers have seen every end.
    let beside = found["beside"].as_array().expect("a list");
    assert_eq!(beside.len(), 2, "{found}");
    for beside in beside {
        assert_eq!(beside["readers"], 100);
        for number in ["with_per_second", "ratio", "events_per_second"] {
            assert!(is_above_zero(&beside[number]), "{number}: {found}");
        }
    }
    let behind = &found["behind"];
    assert_eq!(behind["dropped"], 20_000, "{found}");
    let pages = behind["pages"].as_u64().expect("a number");
    let moved = behind["moved"].as_u64().expect("a number");
    // A page is of a bounded part of the log, and only the last may find nothing.
    assert!(pages > 1 && moved + 1 >= pages, "{found}");
    // The events that were written for it are gone again.
    let left = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM event e JOIN execution_class c ON c.id = e.classes[1]
         WHERE c.kind = 'bench-dropped'",
    );
    let left = left.fetch_one(&mut database.connection().await).await;
    assert_eq!(left.expect("the database answers"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_measures_attempt_streams_and_their_tails() {
    let database = database().await;
    let found = measured(&database, "--streams").await;
    let appends = found["appends"].as_array().expect("a list");
    assert_eq!(appends.len(), 2, "{found}");
    for appends in appends {
        assert_eq!(appends["in_flight"], 2048);
        for number in ["per_second", "ratio"] {
            assert!(is_above_zero(&appends[number]), "{number}: {found}");
        }
    }
    for host in ["same_host", "other_host"] {
        for time in ["p50_us", "p99_us", "commit_us"] {
            assert!(is_above_zero(&found[host][time]), "{host} {time}: {found}");
        }
    }
    // The command fails unless each tail has seen every frame.
    let followed = found["followed"].as_array().expect("a list");
    assert_eq!(followed.len(), 2, "{found}");
    for followed in followed {
        assert!(is_above_zero(&followed["appended_per_second"]), "{found}");
    }
    let left = "SELECT (SELECT count(*) FROM stream) + (SELECT count(*) FROM stream_frame)";
    let left = sqlx::query_scalar::<_, i64>(left);
    let left = left.fetch_one(&mut database.connection().await).await;
    assert_eq!(left.expect("the database answers"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bench_measures_flows_beside_lifecycles_outside_them() {
    let database = database().await;
    let found = measured(&database, "--flows").await;
    let numbers = [
        ("lifecycles", &["per_second", "ratio"][..]),
        ("chains", &["per_second", "members_per_second", "ratio"]),
        (
            "level",
            &["p50_us", "p99_us", "commit_us", "p50_in_commits"],
        ),
        (
            "fan",
            &[
                "submit_ms",
                "from_submission_per_second",
                "from_submission_ratio",
                "from_ready_per_second",
                "from_ready_ratio",
            ],
        ),
    ];
    for (part, numbers) in numbers {
        for number in numbers {
            assert!(
                is_above_zero(&found[part][number]),
                "{part} {number}: {found}"
            );
        }
    }
    for (list, sizes) in [
        ("cancels", [(100, None), (10_000, None)]),
        (
            "submits",
            [(5_000, Some(10_000_u64)), (10_000, Some(50_000))],
        ),
    ] {
        let entries = found[list].as_array().expect("a list");
        assert_eq!(entries.len(), sizes.len(), "{found}");
        for (entry, (members, edges)) in entries.iter().zip(sizes) {
            assert_eq!(entry["members"], members, "{found}");
            assert_eq!(entry["edges"].as_u64(), edges, "{found}");
            assert!(is_above_zero(&entry["ms"]), "{found}");
        }
    }
    // Every member has ended, and every flow has taken note of that.
    let left = "SELECT (SELECT count(*) FROM ready) + (SELECT count(*) FROM lease)
                     + (SELECT count(*) FROM parked) + (SELECT count(*) FROM flow_due)
                     + (SELECT count(*) FROM flow_cancel)
                     + (SELECT count(*) FROM flow WHERE ended_at IS NULL)";
    let left = sqlx::query_scalar::<_, i64>(left);
    let left = left.fetch_one(&mut database.connection().await).await;
    assert_eq!(left.expect("the database answers"), 0);
}
