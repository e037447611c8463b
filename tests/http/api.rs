//! The HTTP API as a client meets it, bad requests first of all.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::database;

use crate::support::api::{Api, builder, once};
use crate::support::golden::assert_golden;

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_get_a_problem_with_a_stable_code() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let unknown = "01990000-0000-7000-8000-000000000000";
    let big = "x".repeat((1 << 20) + 1);
    let cases: Vec<(Method, String, Option<Value>, u16, &str)> = vec![
        (
            Method::GET,
            format!("/v1/executions/{unknown}"),
            None,
            404,
            "execution_not_found",
        ),
        (
            Method::GET,
            format!("/v1/executions/{unknown}/result"),
            None,
            404,
            "execution_not_found",
        ),
        (
            Method::GET,
            format!("/v1/executions/{unknown}/wait"),
            None,
            404,
            "execution_not_found",
        ),
        (
            Method::POST,
            format!("/v1/executions/{unknown}/cancel"),
            Some(json!({})),
            404,
            "execution_not_found",
        ),
        (
            Method::GET,
            "/v1/executions/nonsense".into(),
            None,
            400,
            "invalid_id",
        ),
        (
            Method::GET,
            "/v1/executions?limit=0".into(),
            None,
            422,
            "invalid_input",
        ),
        (
            Method::GET,
            "/v1/executions?state=asleep".into(),
            None,
            400,
            "invalid_query",
        ),
        (Method::GET, "/v1/nothing".into(), None, 404, "not_found"),
        (
            Method::DELETE,
            "/v1/executions".into(),
            None,
            405,
            "method_not_allowed",
        ),
        (
            Method::POST,
            "/v1/executions".into(),
            Some(json!({"kind": "unknown", "input": 1})),
            422,
            "unknown_kind",
        ),
        (
            Method::POST,
            "/v1/executions".into(),
            Some(json!({"kind": "Echo!", "input": 1})),
            422,
            "invalid_input",
        ),
        (
            Method::POST,
            "/v1/executions".into(),
            Some(json!({"kind": "echo", "inptu": 1})),
            400,
            "malformed_json",
        ),
        (
            Method::POST,
            "/v1/executions".into(),
            Some(json!({"kind": "echo", "priority": 9001, "input": 1})),
            422,
            "invalid_input",
        ),
        (
            Method::POST,
            "/v1/executions".into(),
            Some(json!({"kind": "echo", "input_text": big})),
            413,
            "payload_too_large",
        ),
        (
            Method::POST,
            "/v1/executions".into(),
            Some(json!({"kind": "echo", "input_text": big.repeat(9)})),
            413,
            "payload_too_large",
        ),
        (
            Method::POST,
            "/v1/executions".into(),
            Some(json!({"kind": "echo", "input": 1, "tags": {"Bad": "x"}})),
            422,
            "invalid_tag_key",
        ),
        (
            Method::PUT,
            "/v1/kinds/echo/routes".into(),
            Some(json!({"routes": [{"digest": "0".repeat(64), "weight": 1}]})),
            422,
            "unknown_component",
        ),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, status, code) in cases {
        let (given, problem) = api.ask(method.clone(), &path, body).await;
        if given.as_u16() != status || problem["code"] != code {
            wrong.push(format!(
                "{method} {path}: {given} {problem}, not {status} {code}"
            ));
        }
        for member in ["type", "title", "status", "detail"] {
            assert!(
                !problem[member].is_null(),
                "{path} has no {member}: {problem}"
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let broken = api
        .client
        .post(format!("{}/v1/executions", api.host.url()))
        .header("content-type", "application/json")
        .body("{\"kind\": ")
        .send()
        .await
        .expect("the host answers");
    assert_eq!(broken.status(), StatusCode::BAD_REQUEST);
    assert_eq!(broken.headers()["content-type"], "application/problem+json");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_is_honored_over_http() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let keyed =
        |input: &str| json!({"kind": "echo", "input_text": input, "idempotency_key": "order-1"});
    let id = api.create(keyed("a")).await;
    let (status, again) = api.post("/v1/executions", keyed("a")).await;
    assert_eq!(
        (status, again["id"].as_str()),
        (StatusCode::OK, Some(id.as_str()))
    );
    let (status, problem) = api.post("/v1/executions", keyed("b")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(problem["code"], "idempotency_conflict");
    assert!(problem.to_string().contains(&id), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_gets_one_verdict_for_each_item() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let executions = json!({"executions": [
        {"kind": "echo", "input": {"n": 1}},
        {"kind": "unknown", "input": {}},
        {"kind": "echo", "input": {"n": 3}},
    ]});
    let (status, body) = api.post("/v1/executions/batch", executions).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let statuses: Vec<_> = body["results"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|v| v["status"].clone())
        .collect();
    assert_eq!(statuses, [201, 422, 201]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_the_bytes_the_handler_returned() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let info = api
        .run(json!({"kind": "echo", "input_base64": "AP8K", "content_type": "application/x-bytes"}))
        .await;
    let id = info["id"].as_str().expect("an id");
    assert_eq!(
        api.result(id).await,
        ("application/x-bytes".to_owned(), vec![0, 255, 10])
    );
    let (status, history) = api.get(&format!("/v1/executions/{id}/history")).await;
    assert_eq!(status, StatusCode::OK);
    let what: Vec<_> = history["history"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|e| e["what"].clone())
        .collect();
    assert_eq!(what, ["created", "acquired", "success", "completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_lane_keeps_its_work_until_it_is_active_again() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let lane = |state: &str| {
        api.ask(
            Method::PUT,
            "/v1/lanes/night",
            Some(json!({"state": state})),
        )
    };
    lane("paused").await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let id = api
        .create(json!({"kind": "echo", "input": 1, "lane": "night"}))
        .await;
    let other = api.run(once("echo", "another lane")).await;
    assert_eq!(other["public_state"], "completed");
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info["public_state"], "waiting");
    lane("active").await;
    assert_eq!(api.wait(&id).await["public_state"], "completed");
    lane("disabled").await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let (status, problem) = api
        .post(
            "/v1/executions",
            json!({"kind": "echo", "input": 1, "lane": "night"}),
        )
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::CONFLICT, &json!("lane_disabled"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_of_lanes_and_namespaces_are_set_and_listed() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let put = async |path: &str, body: Value| api.ask(Method::PUT, path, Some(body)).await;
    let (status, set) = put("/v1/lanes/night", json!({"weight": 300})).await;
    assert_eq!((status, set), (StatusCode::OK, json!({"weight": 300})));
    put("/v1/lanes/night", json!({"state": "paused"})).await;
    put("/v1/namespaces/acme", json!({"weight": 7})).await;
    let (_, lanes) = api.get("/v1/lanes").await;
    let night = &lanes["lanes"][1];
    assert_eq!(
        (&night["name"], &night["state"], &night["weight"]),
        (&json!("night"), &json!("paused"), &json!(300))
    );
    let (_, namespaces) = api.get("/v1/namespaces").await;
    let expected = json!({"namespaces": [{"name": "acme", "weight": 7}]});
    assert_eq!(namespaces, expected);
    for (path, body) in [
        ("/v1/lanes/night", json!({"weight": 0})),
        ("/v1/namespaces/acme", json!({"weight": 1001})),
        ("/v1/namespaces/No", json!({"weight": 1})),
    ] {
        let (status, problem) = put(path, body).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_input")),
            "{path}"
        );
    }
    let url = format!("{}/metrics", api.host.url());
    let metrics = api.client.get(url).send().await.expect("the host answers");
    let metrics = metrics.text().await.expect("text");
    let name = "flowhost_reconciler_runs_total{condition=\"finished_past_retention\"} ";
    assert!(metrics.contains(name), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_find_every_metric_and_sweep_explained() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let (_, page) = api.get("/metrics").await;
    let page = page.as_str().expect("text");
    let guide = include_str!("../../docs/operate.md");
    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let families = families.filter_map(|rest| rest.split_once(' '));
    let families = families.map(|(family, kind)| match kind {
        "counter" => format!("{family}_total"),
        _ => family.to_owned(),
    });
    let sweep = "flowhost_reconciler_runs_total{condition=\"";
    let sweeps = page.lines().filter_map(|line| line.strip_prefix(sweep));
    let sweeps = sweeps.filter_map(|rest| rest.split('"').next());
    let names: Vec<_> = families.chain(sweeps.map(str::to_owned)).collect();
    assert!(names.len() > 30, "{page}");
    let named = |name: &String| {
        let ends = ["`", "{"].map(|end| format!("`{name}{end}"));
        ends.iter().any(|it| guide.contains(it.as_str()))
    };
    let missing: Vec<_> = names.into_iter().filter(|it| !named(it)).collect();
    assert!(missing.is_empty(), "not in docs/operate.md: {missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_openapi() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let (status, document) = api.get("/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    let text = serde_json::to_string_pretty(&document).expect("JSON") + "\n";
    assert_golden("tests/golden/openapi.json", &text);
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(api.get(path).await.0, StatusCode::OK, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_prefers_to_wait_is_answered_at_the_end() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo", "slow"]).await;
    let create = async |kind: &str, input: &str, wait: &str| {
        let response = api
            .client
            .post(format!("{}/v1/executions", api.host.url()))
            .header("prefer", wait)
            .json(&json!({"kind": kind, "input_text": input, "idempotency_key": kind}))
            .send()
            .await
            .expect("the host answers");
        let applied = response.headers().contains_key("preference-applied");
        let status = response.status();
        let body: Value = response.json().await.expect("JSON");
        (status, applied, body)
    };
    let (status, applied, body) = create("echo", "hi", "wait=30").await;
    assert_eq!((status, applied), (StatusCode::CREATED, true), "{body}");
    assert_eq!(body["state"], "completed");
    let (status, _, again) = create("echo", "hi", "wait=30").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&again["state"], &again["id"]),
        (&json!("completed"), &body["id"])
    );
    let (status, applied, body) = create("slow", "60000", "wait=0").await;
    assert_eq!((status, applied), (StatusCode::CREATED, true), "{body}");
    assert_ne!(body["state"], "completed");
    let (_, applied, _) = create("slow", "60000", "return=minimal").await;
    assert!(!applied);
}
