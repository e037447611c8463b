//! Rows that this version cannot show: each is told of by its id, and hides no other.

use model::PublicState;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::Answered;

use crate::support::api::{code, flowhost, text, with};
use crate::support::http_work::{claim_one, register, start, word};
use crate::support::server::rows::{pages, run};
use crate::support::work::{claim, create, setup};

fn is_problem(answer: &(StatusCode, Value), table: &str, column: &str, id: &str) {
    assert_eq!(code(answer), (500, "unreadable"), "{}", answer.1);
    let told = [&answer.1["table"], &answer.1["column"], &answer.1["id"]];
    assert_eq!(told, [&json!(table), &json!(column), &json!(id)]);
}

// A deadline in the year 0 of UTC made every page that held the execution a 500 in
// plain text, and a wait for it a 200 with the words of the error.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_execution_hides_no_other() {
    let (database, api) = start().await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(api.create(word("x")).await);
    }
    let (ancient, endless, later, odd) = (&ids[1], &ids[2], &ids[4], &ids[6]);
    for (id, at) in [
        (ancient, "0002-12-31 23:00:00+00 BC"),
        (endless, "infinity"),
        (later, "10000-01-01 00:00:00+00"),
    ] {
        run(
            &database,
            format!("UPDATE execution SET deadline_at = '{at}' WHERE id = '{id}'"),
        )
        .await;
    }
    let end = format!("/v1/executions/{odd}/cancel");
    api.post(&end, json!({})).await;
    run(
        &database,
        "ALTER TYPE failure_class ADD VALUE 'of_a_later_version'".into(),
    )
    .await;
    run(
        &database,
        format!(
            "UPDATE finished SET failure_class = 'of_a_later_version' WHERE execution_id = '{odd}'"
        ),
    )
    .await;

    let (shown, hidden) = pages(&api, "/v1/executions", "executions", "id").await;
    assert_eq!(shown, [&ids[5], &ids[3], &ids[0]].map(String::clone));
    let told: Vec<_> = hidden.iter().map(|row| text(&row["id"])).collect();
    assert_eq!(
        &told.iter().collect::<Vec<_>>(),
        &[odd, later, endless, ancient]
    );
    assert!(
        text(&hidden[0]["detail"]).contains("finished.failure_class"),
        "{hidden:?}"
    );
    assert!(
        text(&hidden[3]["detail"]).contains("execution.deadline_at"),
        "{hidden:?}"
    );

    for (id, table, column) in [
        (ancient, "execution", "deadline_at"),
        (endless, "execution", "deadline_at"),
        (later, "execution", "deadline_at"),
        (odd, "finished", "failure_class"),
    ] {
        for path in ["", "/wait?timeout_ms=1"] {
            let path = format!("/v1/executions/{id}{path}");
            is_problem(&api.get(&path).await, table, column, id);
            let whole = api.client.get(format!("{}{path}", api.host.url()));
            let response = whole.send().await.expect("the host answers");
            assert_eq!(
                response.headers()["content-type"],
                "application/problem+json"
            );
        }
    }
    // What does not show that column works on it as on any other.
    for id in [ancient, endless, later, odd] {
        let (status, page) = api.get(&format!("/v1/executions/{id}/history")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert_eq!(page["history"][0]["what"], "created");
    }
    let input = api
        .client
        .get(format!("{}/v1/executions/{ancient}/input", api.host.url()));
    assert_eq!(
        input.send().await.expect("answers").status(),
        StatusCode::OK
    );
    let (exit, out, complaints) = flowhost(&api, &["list"]).await;
    assert_eq!(exit, 0, "{complaints}");
    assert!(
        out.contains(&ids[0]) && !out.contains(ancient.as_str()),
        "{out}"
    );
    assert!(
        complaints.contains(&format!("{ancient} cannot be shown: execution.deadline_at")),
        "{complaints}"
    );
    // It is cancelled all the same; what cannot be shown is the answer.
    let (status, _) = api
        .post(&format!("/v1/executions/{ancient}/cancel"), json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_suspended_execution_hides_no_other() {
    let (database, api) = start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(api.create(word("x")).await);
        let lease = claim_one(&api, "w-1").await["lease"].clone();
        let request = json!({
            "lease": lease, "timeout_ms": 3_600_000,
            "resume_condition": {"Single": {"waitpoint_key": "a", "matcher": "Wildcard"}},
        });
        let (status, suspended) = api.post("/v1/leases/suspend", request).await;
        assert_eq!(status, StatusCode::OK, "{suspended}");
    }
    let broken = &ids[1];
    run(
        &database,
        format!("UPDATE parked SET wake_at = 'infinity' WHERE execution_id = '{broken}'"),
    )
    .await;
    let (shown, hidden) = pages(&api, "/v1/suspended", "executions", "execution_id").await;
    assert_eq!(shown, [&ids[0], &ids[2]].map(String::clone));
    assert_eq!(hidden.len(), 1);
    assert_eq!(text(&hidden[0]["id"]), *broken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_or_a_worker_of_a_later_version_hides_no_other() {
    let (database, api) = start().await;
    for lane in ["a", "b", "c"] {
        api.create(with(word("x"), json!({"lane": lane}))).await;
    }
    for worker in ["w-2", "w-3"] {
        let (status, body) = register(&api, "w", worker).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }
    run(
        &database,
        "ALTER TYPE lane_state ADD VALUE 'of_a_later_version'".into(),
    )
    .await;
    run(
        &database,
        "UPDATE lane SET state = 'of_a_later_version' WHERE name = 'b'".into(),
    )
    .await;
    run(
        &database,
        "ALTER TYPE worker_type ADD VALUE 'of_a_later_version'".into(),
    )
    .await;
    run(
        &database,
        "UPDATE worker SET worker_type = 'of_a_later_version' WHERE worker_instance_id = 'w-2'"
            .into(),
    )
    .await;
    let (shown, hidden) = pages(&api, "/v1/lanes", "lanes", "name").await;
    assert!(
        shown.contains(&"a".to_owned()) && shown.contains(&"c".to_owned()),
        "{shown:?}"
    );
    assert_eq!(
        hidden
            .iter()
            .map(|row| text(&row["id"]))
            .collect::<Vec<_>>(),
        ["b"]
    );
    let (shown, hidden) = pages(&api, "/v1/workers", "workers", "worker_instance_id").await;
    assert!(
        shown.contains(&"w-1".to_owned()) && shown.contains(&"w-3".to_owned()),
        "{shown:?}"
    );
    assert_eq!(
        hidden
            .iter()
            .map(|row| text(&row["id"]))
            .collect::<Vec<_>>(),
        ["w-2"]
    );
    let answer = api.get("/v1/workers/w-2").await;
    assert_eq!(code(&answer), (500, "unreadable"), "{}", answer.1);
    for arguments in [["lane", "list"], ["worker", "list"]] {
        let (exit, _, complaints) = flowhost(&api, &arguments).await;
        assert_eq!(exit, 0, "{complaints}");
        assert!(complaints.contains("cannot be shown"), "{complaints}");
    }
    // A host that remembers no lanes takes that one for one that does nothing.
    let engine = database.engine().await;
    let request = engine::Create {
        lane: "b".to_owned(),
        ..create("x")
    };
    let refused = engine.create(request).await;
    assert_eq!(refused.refused().code(), "lane_disabled");
    let claimed = claim(&engine, 10).await;
    let lanes: Vec<_> = claimed.iter().map(|one| one.lane.as_str()).collect();
    assert!(
        lanes.contains(&"a") && lanes.contains(&"c") && !lanes.contains(&"b"),
        "{lanes:?}"
    );
    let set = Some(json!({"state": "active"}));
    let (status, _) = api.ask(Method::PUT, "/v1/lanes/b", set).await;
    assert_eq!(status, StatusCode::OK);
}

// A policy with a member of a later version made every claim fail that met it, with the
// leases it had taken; and the sweep that found its attempt too long.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_execution_holds_up_no_claim_and_no_sweep() {
    let (database, engine) = setup().await;
    let mut ids = Vec::new();
    for data in ["a", "b", "c"] {
        let mut request = create(data);
        request.policy.timeout_policy.attempt_timeout_ms = Some(1000);
        request.policy.retry_policy.max_retries = 0;
        let made = engine.create(request).await.answered();
        ids.push(made.expect("made").id());
    }
    let later = |n: usize| {
        format!(
            "UPDATE execution SET policy = '{{\"of_a_later_version\": 1}}' WHERE id = '{}'",
            ids[n]
        )
    };
    run(&database, later(0)).await;
    let claimed = claim(&engine, 10).await;
    let taken: Vec<_> = claimed.iter().map(|one| one.fence.execution_id).collect();
    assert_eq!(taken, ids[1..], "the others are served");

    run(&database, later(1)).await;
    database.advance(std::time::Duration::from_secs(2)).await;
    engine.reconcile().await.expect("swept");
    let state = async |id| {
        let info = engine.get(id, None).await.answered().expect("known");
        info.public_state
    };
    assert_eq!(
        state(ids[2]).await,
        PublicState::Expired,
        "its attempt was too long"
    );
    assert_eq!(state(ids[1]).await, PublicState::Active);
    database.advance(std::time::Duration::from_secs(60)).await;
    engine.reconcile().await.expect("swept");
    for id in &ids[..2] {
        assert_eq!(state(*id).await, PublicState::Waiting, "its lease lapsed");
        let repaired = format!("UPDATE execution SET policy = NULL WHERE id = '{id}'");
        run(&database, repaired).await;
    }
    assert_eq!(claim(&engine, 10).await.len(), 2);
    database.assert_invariants().await;
}
