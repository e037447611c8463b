//! What a holder or a sender may say of waiting: the words that the engine and the host
//! record of themselves are theirs, and nothing is accepted that would have no effect.

use engine::Suspend;
use model::{SuspensionRequester, TimeoutBehavior};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::Answered;

use crate::support::api::{code, text, with};
use crate::support::http_work::{claim_one, start, word};
use crate::support::waiting::{self, running, single, suspend, suspended, suspended_execution};
use crate::support::work::setup;

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_cannot_suspend_in_the_name_of_a_time_limit() {
    let (_database, api) = start().await;
    let id = api.create(word("x")).await;
    let lease = claim_one(&api, "w-1").await["lease"].clone();
    let request = json!({
        "lease": lease, "timeout_ms": 3_600_000,
        "resume_condition": {"Single": {"waitpoint_key": "a", "matcher": "Wildcard"}},
    });
    let by_limit = with(
        request.clone(),
        json!({"requested_by": "system_timeout_policy"}),
    );
    let answer = api.post("/v1/leases/suspend", by_limit).await;
    assert_eq!(code(&answer), (422, "invalid_input"), "{}", answer.1);
    assert_eq!(answer.1["field"], "requested_by");
    assert!(text(&answer.1["detail"]).contains("system_timeout_policy"));
    // It passes on what others ask of it.
    let by_operator = with(request, json!({"requested_by": "operator"}));
    let (status, body) = api.post("/v1/leases/suspend", by_operator).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info["suspension"]["requested_by"], "operator");

    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let refused = Suspend {
        requested_by: SuspensionRequester::SystemTimeoutPolicy,
        ..suspend(fence, single("a", "go"))
    };
    let refused = engine.suspend(refused).await;
    let refused = refused.refused();
    assert_eq!(refused.code(), "invalid_input");
    assert!(refused.to_string().contains("requested_by"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_behavior_needs_a_timeout() {
    let (_database, api) = start().await;
    let limited = json!({"policy": {"suspension_policy": {"default_timeout_ms": 3_600_000}}});
    let condition = json!({"Single": {"waitpoint_key": "a", "matcher": "Wildcard"}});
    let request = |lease: &Value| json!({"lease": lease, "timeout_behavior": "escalate", "resume_condition": condition});
    api.create(word("x")).await;
    let lease = claim_one(&api, "w-1").await["lease"].clone();
    let answer = api.post("/v1/leases/suspend", request(&lease)).await;
    assert_eq!(code(&answer), (422, "invalid_input"), "{}", answer.1);
    assert_eq!(answer.1["field"], "timeout_behavior");
    assert!(
        text(&answer.1["detail"]).contains("timeout_ms"),
        "{}",
        answer.1
    );
    // The lease is still held, and a limit of either sort will do.
    let own = with(request(&lease), json!({"timeout_ms": 3_600_000}));
    let (status, body) = api.post("/v1/leases/suspend", own).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let id = api.create(with(word("x"), limited)).await;
    let lease = claim_one(&api, "w-1").await["lease"].clone();
    let (status, body) = api.post("/v1/leases/suspend", request(&lease)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
    assert_eq!(info["suspension"]["timeout_behavior"], "escalate");

    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    for known in [false, true] {
        let mut request = suspend(fence, single("a", "go"));
        request.timeout_behavior = Some(TimeoutBehavior::Cancel);
        request.known = request.known.filter(|_| known);
        let refused = engine.suspend(request).await;
        let refused = refused.refused();
        assert_eq!(refused.code(), "invalid_input");
        let said = refused.to_string();
        assert!(
            said.contains("timeout_behavior") && said.contains("timeout_at"),
            "{said}"
        );
    }
    suspended(&engine, suspend(fence, single("a", "go"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_with_a_token_cannot_pose_as_the_host_or_an_operator() {
    let (_database, api) = start().await;
    let id = api.create(word("x")).await;
    let lease = claim_one(&api, "w-1").await["lease"].clone();
    let waitpoint = json!({"lease": lease, "waitpoint_key": "a"});
    let (_, open) = api.post("/v1/leases/waitpoints", waitpoint).await;
    let signal = json!({"waitpoint_token": open["waitpoint_token"], "signal_name": "go"});
    let path = format!("/v1/executions/{id}/signal");
    for word in ["operator", "webhook", "execution", "component"] {
        let claimed = with(signal.clone(), json!({"source_type": word}));
        let answer = api.post(&path, claimed).await;
        assert_eq!(
            code(&answer),
            (422, "invalid_input"),
            "{word}: {}",
            answer.1
        );
        assert_eq!(answer.1["field"], "source_type");
    }
    let honest = with(signal, json!({"source_type": "executions"}));
    let (status, body) = api.post(&path, honest).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");

    let (_database, engine) = setup().await;
    let (_, door) = suspended_execution(&engine, single("a", "go")).await;
    let mut claimed = waiting::signal(&door.token, "go");
    claimed.source_type = "operator".to_owned();
    let refused = engine.send_signal(claimed).await;
    let refused = refused.refused();
    assert!(refused.to_string().contains("source_type"), "{refused}");
}
