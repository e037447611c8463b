//! Times and durations that callers name: those that cannot be stored or shown are
//! refused by name, and none of them reaches a statement.

use engine::{
    Addressee, CreateWaitpoint, Delay, MintWaitpointToken, SendSignal, Suspend, SuspensionTimeout,
    WaitpointRef, WaitpointTokenExpiry,
};
use model::{Limits, Moment, ResumeCondition, ResumePolicy};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::api::Execution;
use testkit::Answered;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::support::api::with;
use crate::support::http_work::{claim_one, start, word};
use crate::support::waiting::suspend;
use crate::support::work::{self, create, operate, setup, text};

/// Beyond what UTC, RFC 3339 or the database can hold, or no times at all.
const WRONG: [&str; 9] = [
    "9999-12-31T23:59:59-01:00",
    "9999-12-31T23:59:59-23:59",
    "0000-01-01T00:00:00+01:00",
    "0000-01-01T00:00:00Z",
    "1970-01-01T00:00:00+00:01",
    "10000-01-01T00:00:00Z",
    "-4713-01-01T00:00:00Z",
    "2030-02-30T00:00:00Z",
    "tomorrow",
];

fn refused(answer: &(StatusCode, Value), field: &str, what: &str) {
    let (status, problem) = answer;
    assert_eq!(*status, 422, "{field} {what}: {problem}");
    let code = match field.starts_with("policy.") {
        true => "invalid_policy_json",
        false => "invalid_input",
    };
    assert_eq!(problem["code"], code, "{field} {what}");
    assert_eq!(problem["field"], field, "{what}: {problem}");
}

// One time each in the year 10000 of UTC used to end a task that writes for everybody;
// after two of them, no execution could be created on that host.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_beyond_utc_is_refused_and_the_host_keeps_serving() {
    let (database, api) = start().await;
    for wrong in WRONG {
        for field in ["delay_until", "deadline_at"] {
            let body = with(word("x"), json!({field: wrong}));
            refused(
                &api.post("/v1/executions", body.clone()).await,
                field,
                wrong,
            );
            let batch = json!({"executions": [body, word("beside it")]});
            let (status, results) = api.post("/v1/executions/batch", batch).await;
            assert_eq!(status, StatusCode::OK, "{results}");
            assert_eq!(results["results"][0]["problem"]["field"], field);
            assert_eq!(results["results"][1]["status"], 201);
        }
    }
    for right in [
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59+23:59",
        "2030-01-01t00:00:00.123456789z",
    ] {
        let body = with(word("y"), json!({"deadline_at": right}));
        let id = api.create(body).await;
        let (status, shown) = api.get(&format!("/v1/executions/{id}")).await;
        assert_eq!(status, StatusCode::OK, "{shown}");
    }
    let claimed = claim_one(&api, "w-1").await;
    for wrong in WRONG {
        let request = json!({
            "lease": claimed["lease"], "timeout_at": wrong,
            "resume_condition": {"Single": {"waitpoint_key": "a", "matcher": "Wildcard"}},
        });
        refused(
            &api.post("/v1/leases/suspend", request).await,
            "timeout_at",
            wrong,
        );
    }
    let (status, _) = api.get("/readyz").await;
    assert_eq!(status, StatusCode::OK);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn durations_beyond_ten_years_are_refused_wherever_they_are_given() {
    let (database, api) = start().await;
    let over = Limits::DURATION_MS_MAX + 1;
    for long in [over, u64::from(u32::MAX) * 1_000_000, u64::MAX] {
        for (member, field) in [
            (json!({"delay_ms": long}), "delay_ms"),
            (
                json!({"policy": {"timeout_policy": {"attempt_timeout_ms": long}}}),
                "policy.timeout_policy.attempt_timeout_ms",
            ),
            (
                json!({"policy": {"timeout_policy": {"execution_deadline_ms": long}}}),
                "policy.timeout_policy.execution_deadline_ms",
            ),
            (
                json!({"policy": {"suspension_policy": {"default_timeout_ms": long}}}),
                "policy.suspension_policy.default_timeout_ms",
            ),
            (
                json!({"policy": {"retention_ms": long}}),
                "policy.retention_ms",
            ),
            (
                json!({"policy": {"dedup_window_ms": long}}),
                "policy.dedup_window_ms",
            ),
            (
                json!({"policy": {"retry_policy": {"backoff": {"type": "fixed", "delay_ms": long}}}}),
                "policy.retry_policy.backoff.delay_ms",
            ),
            (
                json!({"policy": {"retry_policy": {"backoff": {"type": "exponential", "initial_delay_ms": long}}}}),
                "policy.retry_policy.backoff.initial_delay_ms",
            ),
        ] {
            let answer = api.post("/v1/executions", with(word("x"), member)).await;
            refused(&answer, field, &long.to_string());
        }
        let path = format!("/v1/executions?kind=word&delay_ms={long}");
        refused(
            &api.ask(Method::POST, &path, None).await,
            "delay_ms",
            "in the query",
        );
    }
    let id = api.create(word("z")).await;
    let lease = claim_one(&api, "w-1").await["lease"].clone();
    let waitpoint = json!({"lease": lease, "waitpoint_key": "a"});
    let (status, made) = api.post("/v1/leases/waitpoints", waitpoint).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    for (path, body, field) in [
        (
            "/v1/leases/delay".to_owned(),
            json!({"lease": lease, "delay_ms": over}),
            "delay_ms",
        ),
        (
            format!("/v1/executions/{id}/delay"),
            json!({"delay_ms": over}),
            "delay_ms",
        ),
        (
            "/v1/leases/waitpoints".to_owned(),
            json!({"lease": lease, "expires_in_ms": over}),
            "expires_in_ms",
        ),
        (
            "/v1/leases/suspend".to_owned(),
            json!({"lease": lease, "timeout_ms": over, "resume_condition": "TimeoutOnly"}),
            "timeout_ms",
        ),
        (
            "/v1/leases/suspend".to_owned(),
            json!({
                "lease": lease, "timeout_ms": 5, "resume_condition": "TimeoutOnly",
                "resume_policy": {"resume_delay_ms": over},
            }),
            "resume_policy.resume_delay_ms",
        ),
        (
            format!("/v1/executions/{id}/resume"),
            json!({"delay_ms": over}),
            "delay_ms",
        ),
        (
            format!("/v1/executions/{id}/operator-signal"),
            json!({"signal_name": "go", "idempotency_key": "k", "dedup_ttl_ms": over}),
            "dedup_ttl_ms",
        ),
        (
            format!("/v1/executions/{id}/waitpoints/a/token"),
            json!({"expires_in_ms": over}),
            "expires_in_ms",
        ),
    ] {
        let answer = api.post(&path, body).await;
        refused(&answer, field, &path);
    }
    let grace = json!({"grace_ms": u64::MAX});
    let (status, problem) = api.post("/v1/waitpoint-keys/rotate", grace).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (422, &json!("invalid_grace_ms"))
    );
    let waits = format!("/v1/executions/{id}/wait?timeout_ms={}", u64::MAX);
    refused(&api.get(&waits).await, "timeout_ms", "a wait");
    database.assert_invariants().await;
}

/// A user of the engine as a library is refused the same times.
#[tokio::test(flavor = "multi_thread")]
async fn no_time_that_the_engine_accepts_can_stop_a_flusher() {
    for at in [
        datetime!(9999-12-31 23:59:59 -01:00),
        datetime!(-0001-12-31 23:00:00 UTC),
        datetime!(1969-12-31 23:59:59 UTC),
        datetime!(-9999-01-01 00:00:00 +01:00),
    ] {
        assert!(Moment::new(at).is_err(), "{at}");
    }
    let (database, engine) = setup().await;
    let first = Moment::new(OffsetDateTime::UNIX_EPOCH).expect("a time");
    let last = Moment::new(datetime!(9999-12-31 23:59:59.999999999 UTC)).expect("a time");
    for at in [first, last] {
        let mut request = create("x");
        request.delay_until = Some(at);
        let made = engine.create(request).await.accepted();
        let mut request = create("x");
        request.deadline_at = Some(at);
        engine.create(request).await.accepted();
        let info = engine.get(made.id(), None).await.answered();
        assert!(serde_json::to_string(&Execution::from(info.expect("known"))).is_ok());
    }
    engine.reconcile().await.expect("swept");
    let over = Limits::DURATION_MS_MAX + 1;
    let held = loop {
        let held = work::claim_one(&engine).await;
        if held.fence.attempt == 0 {
            break held;
        }
    };
    let fence = held.fence;
    let delay = Delay {
        fence,
        due: engine::Due::InMs(u64::MAX),
        report: Default::default(),
    };
    let refused = engine.delay(delay).await;
    assert_eq!(refused.refused().code(), "invalid_input");
    let request = Suspend {
        timeout: Some(SuspensionTimeout::At(last)),
        ..suspend(fence, ResumeCondition::TimeoutOnly)
    };
    for wrong in [
        Suspend {
            timeout: Some(SuspensionTimeout::At(first)),
            ..request.clone()
        },
        Suspend {
            timeout: Some(SuspensionTimeout::InMs(u64::MAX)),
            ..request.clone()
        },
        Suspend {
            resume_policy: ResumePolicy {
                resume_delay_ms: Some(u64::MAX),
                ..ResumePolicy::default()
            },
            ..request.clone()
        },
    ] {
        let refused = engine.suspend(wrong).await;
        assert_eq!(refused.refused().code(), "invalid_input");
    }
    let waitpoint = engine
        .create_waitpoint(CreateWaitpoint {
            fence,
            key: "a".to_owned(),
            expires_in_ms: Some(u64::MAX),
            signal_names: Vec::new(),
        })
        .await
        .answered();
    assert!(waitpoint.is_err());
    engine.suspend(request).await.accepted();
    let id = fence.execution_id;
    let signal = SendSignal {
        to: Addressee::Operator {
            operate: operate(id),
            waitpoint: WaitpointRef::Only,
        },
        name: "go".to_owned(),
        category: None,
        source_type: "test".to_owned(),
        source_identity: "t".to_owned(),
        credential: None,
        correlation_id: None,
        payload: Some(text("x")),
        idempotency_key: Some("k".to_owned()),
        dedup_ttl_ms: Some(over),
    };
    assert!(engine.send_signal(signal).await.answered().is_err());
    let refused = engine.resume(operate(id), Some(u64::MAX)).await;
    assert_eq!(refused.refused().code(), "invalid_input");
    let token = MintWaitpointToken {
        namespace: "default".to_owned(),
        execution_id: id,
        waitpoint_id: model::WaitpointId(uuid::Uuid::nil()),
        signal_names: Vec::new(),
        expiry: WaitpointTokenExpiry::At(last),
    };
    let minted = engine.mint_waitpoint_tokens(&[token]).await.answered();
    assert!(minted.expect("minted")[0].expires_at.is_some());
    let suspended = engine.get(id, None).await.answered().expect("known");
    assert!(serde_json::to_string(&Execution::from(suspended)).is_ok());
    engine.reconcile().await.expect("swept");
    database.assert_invariants().await;
}
