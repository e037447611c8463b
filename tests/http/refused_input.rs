//! What a caller may say: nothing is accepted and ignored, nothing contradicts itself,
//! and the words that the engine records of itself are the engine's.

use engine::{Cancel, Create};
use model::{CancelSource, ExecutionPolicy, Failure, FailureClass};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::Answered;

use crate::support::api::{code, flowhost, text, with};
use crate::support::http_work::{claim_one, start, word};
use crate::support::work::{self, create, operate, setup};

fn policy(policy: &Value) -> Value {
    with(word("x"), json!({"policy": policy}))
}

#[tokio::test(flavor = "multi_thread")]
async fn unsupported_input_is_refused_by_name_and_not_stored() {
    let (database, api) = start().await;
    for (given, field) in [
        (
            json!({"budget_ids": ["01990000-0000-7000-8000-000000000000"]}),
            "policy.budget_ids",
        ),
        (json!({"budget_ids": "all"}), "policy.budget_ids"),
        (
            json!({"stream_policy": {"durability_mode": "durable"}}),
            "policy.stream_policy.durability_mode",
        ),
        (
            json!({"fallback_policy": {"tiers": [{"provider": "p"}]}}),
            "policy.fallback_policy",
        ),
        (
            json!({"durability_mode": "durable"}),
            "policy.durability_mode",
        ),
        (
            json!({"isolation_level": "process"}),
            "policy.isolation_level",
        ),
        (
            json!({"preferred_locality": "eu"}),
            "policy.preferred_locality",
        ),
        (
            json!({"routing_requirements": {"preferred_locality": "eu"}}),
            "policy.routing_requirements.preferred_locality",
        ),
        (
            json!({"routing_requirements": {"isolation_level": "process"}}),
            "policy.routing_requirements.isolation_level",
        ),
    ] {
        let answer = api.post("/v1/executions", policy(&given)).await;
        assert_eq!(code(&answer), (422, "not_offered"), "{given}: {}", answer.1);
        assert_eq!(answer.1["field"], field);
        let batch = json!({"executions": [policy(&given)]});
        let (_, results) = api.post("/v1/executions/batch", batch).await;
        assert_eq!(results["results"][0]["problem"]["code"], "not_offered");
        let written = given.to_string();
        let arguments = ["submit", "word", "--policy", &written];
        let (exit, out, complaint) = flowhost(&api, &arguments).await;
        assert_ne!(exit, 0);
        assert_eq!(out, "");
        assert!(complaint.contains(field), "{complaint}");
        // The engine as a library says the same.
        let policy: ExecutionPolicy = serde_json::from_value(given).expect("reads");
        let engine = database.engine().await;
        let refused = engine
            .create(Create {
                policy,
                ..create("x")
            })
            .await;
        let refused = refused.refused();
        assert_eq!(refused.code(), "not_offered");
    }
    // What asks for nothing is not ignored.
    let nothing = json!({"budget_ids": [], "stream_policy": {}, "fallback_policy": null});
    let id = api.create(policy(&nothing)).await;
    let (_, kept) = api.get(&format!("/v1/executions/{id}/policy")).await;
    for name in ["budget_ids", "stream_policy", "fallback_policy"] {
        assert_eq!(kept.get(name), None, "{kept}");
    }
    let given = json!({"stream_policy": {"retention_maxlen": 5, "retention_ttl_ms": 1000}});
    let other = api.create(policy(&given)).await;
    let (_, kept) = api.get(&format!("/v1/executions/{other}/policy")).await;
    assert_eq!(kept["stream_policy"], given["stream_policy"]);
    // A policy that an earlier version kept is read, and what it ignored still is.
    let kept = r#"{"max_replay_count": 3, "budget_ids": ["01990000-0000-7000-8000-000000000000"],
                   "stream_policy": {"retention_maxlen": 5, "retention_ttl_ms": null}}"#;
    sqlx::query("UPDATE execution SET policy = $1")
        .bind(kept)
        .execute(&mut database.connection().await)
        .await
        .expect("kept");
    let (status, shown) = api.get(&format!("/v1/executions/{id}/policy")).await;
    assert_eq!(
        (status, &shown["max_replay_count"]),
        (StatusCode::OK, &json!(3))
    );
    assert_eq!(claim_one(&api, "w-1").await["id"], json!(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn contradictory_input_is_refused_and_both_fields_are_named() {
    let (_database, api) = start().await;
    for (given, field, other) in [
        (
            json!({"policy": {"retry_policy": {"backoff": {
                "type": "exponential", "initial_delay_ms": 300_000, "max_delay_ms": 60_000,
            }}}}),
            "policy.retry_policy.backoff.initial_delay_ms",
            "policy.retry_policy.backoff.max_delay_ms",
        ),
        (
            json!({
                "delay_until": "2040-01-01T01:00:00+01:00", "deadline_at": "2040-01-01T00:00:00Z",
            }),
            "deadline_at",
            "delay_until",
        ),
        (
            json!({
                "delay_ms": 5000, "policy": {"timeout_policy": {"execution_deadline_ms": 5000}},
            }),
            "policy.timeout_policy.execution_deadline_ms",
            "delay_ms",
        ),
        (
            json!({"delay_ms": 1, "delay_until": "2040-01-01T00:00:00Z"}),
            "delay_until",
            "delay_ms",
        ),
    ] {
        let answer = api
            .post("/v1/executions", with(word("x"), given.clone()))
            .await;
        let name = match field.contains("backoff") {
            true => "invalid_policy_json",
            false => "invalid_input",
        };
        assert_eq!(code(&answer), (422, name), "{given}: {}", answer.1);
        assert_eq!(answer.1["field"], field);
        assert!(text(&answer.1["detail"]).contains(other), "{}", answer.1);
    }
    // A bound that is not given follows the one that is.
    let slow = json!({"retry_policy": {"backoff": {
        "type": "exponential", "initial_delay_ms": 300_000, "jitter": false,
    }}});
    let id = api.create(policy(&slow)).await;
    let (_, kept) = api.get(&format!("/v1/executions/{id}/policy")).await;
    assert_eq!(kept["retry_policy"]["backoff"]["max_delay_ms"], 300_000);
    let lease = claim_one(&api, "w-1").await["lease"].clone();
    let failure = json!({"lease": lease, "class": "transient", "code": "busy", "message": ""});
    let (status, answer) = api.post("/v1/leases/fail", failure).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (_, shown) = api.get(&format!("/v1/executions/{id}")).await;
    let at = |name: &str| {
        text(&shown[name])
            .parse::<model::Moment>()
            .expect("a time")
            .utc()
    };
    let waits = (at("wake_at") - at("last_mutation_at")).whole_milliseconds();
    assert!((299_900..=300_100).contains(&waits), "{waits} ms: {shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_cannot_cancel_in_the_name_of_the_engine() {
    let (database, api) = start().await;
    let id = api.create(word("x")).await;
    let path = format!("/v1/executions/{id}/cancel");
    claim_one(&api, "w-1").await;
    for word in ["lease_holder", "flow_cascade", "system_timeout"] {
        let answer = api.post(&path, json!({"source": word})).await;
        assert_eq!(
            code(&answer),
            (422, "invalid_input"),
            "{word}: {}",
            answer.1
        );
        assert_eq!(answer.1["field"], "source");
        assert!(text(&answer.1["detail"]).contains(word), "{}", answer.1);
        // Nor can a user of the engine, under any name.
        let engine = database.engine().await;
        for source in [
            CancelSource::Custom(word.to_owned()),
            match word {
                "lease_holder" => CancelSource::LeaseHolder,
                "flow_cascade" => CancelSource::FlowCascade,
                _ => CancelSource::SystemTimeout,
            },
        ] {
            let cancel = Cancel {
                id: id.parse().expect("an id"),
                namespace: None,
                reason: None,
                source,
                actor: None,
            };
            let refused = engine.cancel(cancel).await;
            assert_eq!(refused.refused().code(), "invalid_input");
        }
    }
    for word in ["", "Lease_Holder", "lease_holder ", "a\u{0}"] {
        let answer = api.post(&path, json!({"source": word})).await;
        assert_eq!(
            code(&answer),
            (422, "invalid_input"),
            "{word:?}: {}",
            answer.1
        );
    }
    let (_, running) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(running["public_state"], "active");
    let (status, _) = api.post(&path, json!({"source": "billing:nightly"})).await;
    assert_eq!(status, StatusCode::OK);
    let (_, ended) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(ended["source"], "billing:nightly");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_needs_a_valid_code() {
    let (_database, api) = start().await;
    let id = api.create(word("x")).await;
    let lease = claim_one(&api, "w-1").await["lease"].clone();
    let long = "x".repeat(65);
    for wrong in [
        "",
        "Bad Code",
        "bad-code",
        "bad.code",
        "schlüssel",
        "a\0",
        &long,
    ] {
        let failure = json!({"class": "permanent", "code": wrong, "message": "why"});
        for (path, body) in [
            (format!("/v1/executions/{id}/fail"), failure.clone()),
            (
                "/v1/leases/fail".to_owned(),
                with(failure.clone(), json!({"lease": lease})),
            ),
        ] {
            let answer = api.post(&path, body).await;
            assert_eq!(
                code(&answer),
                (422, "invalid_input"),
                "{path} {wrong:?}: {}",
                answer.1
            );
            assert_eq!(answer.1["field"], "code", "{path}");
        }
    }
    let arguments = ["override", "fail", &id, "--code", "Bad Code", "why"];
    let (exit, _, complaint) = flowhost(&api, &arguments).await;
    assert_ne!(exit, 0);
    assert!(
        complaint.contains("`Bad Code` is not a valid failure code"),
        "{complaint}"
    );
    let (_, running) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(running["public_state"], "active");

    let (database, engine) = setup().await;
    engine.create(create("x")).await.accepted();
    let fence = work::claim_one(&engine).await.fence;
    for wrong in ["", "Bad Code", "a\0"] {
        let mut fail = work::fail(fence, FailureClass::Permanent);
        fail.failure.code = wrong.to_owned();
        let refused = engine.fail(fail).await.answered();
        assert_eq!(refused.expect_err(wrong).code(), "invalid_input");
        let failure = Failure::new(FailureClass::Permanent, wrong, "why");
        let refused = engine
            .fail_override(operate(fence.execution_id), failure)
            .await;
        assert_eq!(refused.answered().expect_err(wrong).code(), "invalid_input");
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_priority_out_of_range_is_refused_by_name_and_not_clamped() {
    let (_database, api) = start().await;
    let id = api.create(word("x")).await;
    for wrong in [-1_i64, 9001, 65_536, i64::MAX] {
        let create = with(word("x"), json!({"priority": wrong}));
        let put = Some(json!({"priority": wrong}));
        for answer in [
            api.post("/v1/executions", create).await,
            api.ask(
                Method::POST,
                &format!("/v1/executions?kind=word&priority={wrong}"),
                None,
            )
            .await,
            api.ask(Method::PUT, &format!("/v1/executions/{id}/priority"), put)
                .await,
        ] {
            assert_eq!(
                code(&answer),
                (422, "invalid_input"),
                "{wrong}: {}",
                answer.1
            );
            assert_eq!(answer.1["field"], "priority");
        }
    }
    let put = Some(json!({"priority": 9000}));
    let (status, shown) = api
        .ask(Method::PUT, &format!("/v1/executions/{id}/priority"), put)
        .await;
    assert_eq!((status, &shown["priority"]), (StatusCode::OK, &json!(9000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn input_without_an_effect_is_refused() {
    let (_database, api) = start().await;
    // The header names one request, and a batch is many.
    let send = |path: &str, header: (&'static str, &'static str), body: Value| {
        let url = format!("{}{path}", api.host.url());
        let request = api.client.post(url).header(header.0, header.1).json(&body);
        async move {
            let response = request.send().await.expect("the host answers");
            let status = response.status();
            (status, response.json::<Value>().await.expect("JSON"))
        }
    };
    let batch = json!({"executions": [word("x")]});
    let answer = send(
        "/v1/executions/batch",
        ("idempotency-key", "k"),
        batch.clone(),
    )
    .await;
    assert_eq!(code(&answer), (422, "invalid_input"), "{}", answer.1);
    assert_eq!(answer.1["field"], "idempotency_key");
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (status, _) = send("/v1/executions/batch", ("traceparent", trace), batch).await;
    assert_eq!(status, StatusCode::OK);
    let claimed = claim_one(&api, "w-1").await;
    assert_eq!(claimed["traceparent"], trace);

    let (id, lease) = (text(&claimed["id"]), &claimed["lease"]);
    let waitpoint = json!({"lease": lease, "waitpoint_key": "a"});
    let (status, open) = api.post("/v1/leases/waitpoints", waitpoint).await;
    assert_eq!(status, StatusCode::CREATED, "{open}");
    let signal = json!({"waitpoint_token": open["waitpoint_token"], "signal_name": "go"});
    let path = format!("/v1/executions/{id}/signal");
    let operators = format!("/v1/executions/{id}/operator-signal");
    let by_operator = json!({"waitpoint": "a", "signal_name": "go"});
    for (path, signal) in [(&path, &signal), (&operators, &by_operator)] {
        for (more, field) in [
            (json!({"dedup_ttl_ms": 1000}), "dedup_ttl_ms"),
            (json!({"content_type": "image/png"}), "content_type"),
        ] {
            let answer = api.post(path, with(signal.clone(), more)).await;
            assert_eq!(
                code(&answer),
                (422, "invalid_input"),
                "{path}: {}",
                answer.1
            );
            assert_eq!(answer.1["field"], field);
        }
        let statuses = [
            send(path, ("idempotency-key", "once"), signal.clone())
                .await
                .0,
            send(path, ("idempotency-key", "once"), signal.clone())
                .await
                .0,
        ];
        assert_eq!(statuses[1], StatusCode::OK, "{path}: the header is the key");
        let both = with(signal.clone(), json!({"idempotency_key": "other"}));
        let answer = send(path, ("idempotency-key", "once"), both).await;
        assert_eq!(code(&answer), (422, "invalid_input"), "{}", answer.1);
    }
    let request = json!({
        "lease": lease, "timeout_ms": 5000, "resume_condition": "TimeoutOnly",
        "content_type": "image/png",
    });
    let answer = api.post("/v1/leases/suspend", request).await;
    assert_eq!(code(&answer), (422, "invalid_input"), "{}", answer.1);
    assert_eq!(answer.1["field"], "content_type");
}
