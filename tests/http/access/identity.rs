//! In whose name things are done: the credential's, and not the one that the caller gives.

use model::Role;
use serde_json::{Value, json};

use super::guarded::{Guarded, Key};

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_signs_with_its_credential_and_its_word_is_a_note() {
    let host = Guarded::start().await;
    host.word().await;
    let operator = host.key("ops", Role::Operator, Some("a")).await;
    let said = json!({"kind": "word", "creator": "key:root"});
    let id = host.create(&operator, said).await;
    let (_, shown) = host.get(&operator, &format!("/v1/executions/{id}")).await;
    assert_eq!(shown["creator"], "key:ops/key:root", "{shown}");
    let hold = json!({"actor": "oidc:ceo", "reason": "no"});
    let (status, answer) = host
        .post(&operator, &format!("/v1/executions/{id}/hold"), hold)
        .await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = host
        .post(&operator, &format!("/v1/executions/{id}/unhold"), json!({}))
        .await;
    assert_eq!(status, 200, "{answer}");
    let (_, done) = host
        .get(&operator, &format!("/v1/executions/{id}/operations"))
        .await;
    let actors = done["operations"].as_array().expect("a list").iter();
    let actors: Vec<_> = actors.map(|it| it["actor"].clone()).collect();
    assert_eq!(actors, ["key:ops/oidc:ceo", "key:ops"]);
    // What does not fit behind the credential is refused by its own name, in every verb.
    let fits = "n".repeat(255 - "key:ops/".len());
    let path = format!("/v1/executions/{id}/hold");
    let held = host.post(&operator, &path, json!({"actor": fits})).await;
    assert_eq!(held.0, 200, "{}", held.1);
    let too_long = format!("{fits}n");
    for (path, field, body) in [
        (path.as_str(), "actor", json!({"actor": too_long})),
        (
            "/v1/executions",
            "creator",
            json!({"kind": "word", "creator": too_long}),
        ),
    ] {
        let (status, refused) = host.post(&operator, path, body).await;
        assert_eq!(
            (status.as_u16(), &refused["field"]),
            (422, &json!(field)),
            "{refused}"
        );
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(detail.contains("at most 247 are recorded"), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_by_the_holder_wants_its_lease() {
    let host = Guarded::start().await;
    host.word().await;
    let operator = host.key("ops", Role::Operator, Some("a")).await;
    let worker = host.key("worker", Role::Worker, Some("a")).await;
    let (id, claimed) = host.held(&operator, &worker, json!({})).await;
    let path = format!("/v1/executions/{id}/cancel");
    for body in [
        json!({"source": "flow_cascade"}),
        json!({"source": "system_timeout"}),
        json!({"source": "lease_holder"}),
        json!({"source": "lease_holder", "epoch": 1, "attempt": 0}),
        json!({"source": "cron", "epoch": 1}),
    ] {
        let (status, refused) = host.post(&operator, &path, body.clone()).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (422, &json!("invalid_input")),
            "{body}"
        );
    }
    let (_, shown) = host.get(&operator, &format!("/v1/executions/{id}")).await;
    let lease = &shown["current_lease"];
    let mut fence = json!({
        "source": "lease_holder", "lease_id": lease["lease_id"],
        "epoch": 2, "attempt": claimed["attempt"], "reason": "done with it",
    });
    let (status, refused) = host.post(&operator, &path, fence.clone()).await;
    assert_eq!(
        (status.as_u16(), &refused["code"]),
        (409, &json!("stale_lease")),
        "{refused}"
    );
    fence["epoch"] = json!(1);
    let (status, cancelled) = host.post(&operator, &path, fence).await;
    assert_eq!(status, 200, "{cancelled}");
    assert_eq!(cancelled["public_state"], "cancelled");
}

/// An execution of `creator` that waits for two sources.
async fn undecided(host: &Guarded, creator: &Key, worker: &Key, policy: Value) -> String {
    let (id, claimed) = host.held(creator, worker, json!({})).await;
    let condition = json!({"Composite": {
        "kind": "Count", "n": 2, "count_kind": "DistinctSources", "waitpoints": ["votes"],
        "matcher": {"ByName": "approved"},
    }});
    let suspend = json!({
        "lease": claimed["lease"], "resume_condition": condition, "resume_policy": policy,
    });
    let (status, answer) = host.post(worker, "/v1/leases/suspend", suspend).await;
    assert_eq!(status, 200, "{answer}");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn two_approvals_are_of_two_credentials_and_none_of_them_asked() {
    let host = Guarded::start().await;
    host.word().await;
    let ada = host.key("ada", Role::Operator, Some("a")).await;
    let bob = host.key("bob", Role::Approver, Some("a")).await;
    let asks = host.key("asks", Role::Operator, Some("a")).await;
    let worker = host.key("worker", Role::Worker, Some("a")).await;
    let id = undecided(&host, &asks, &worker, json!({})).await;
    let decide = async |key: &Key, verb: &str, body: Value| {
        host.post(key, &format!("/v1/executions/{id}/{verb}"), body)
            .await
    };
    // The requester cannot decide, under any name and by any verb.
    for (verb, body) in [
        ("approve", json!({})),
        ("approve", json!({"actor": "someone else"})),
        ("reject", json!({})),
        ("operator-signal", json!({"signal_name": "approved"})),
    ] {
        let (status, refused) = decide(&asks, verb, body).await;
        let code = (status.as_u16(), &refused["code"]);
        assert_eq!(code, (403, &json!("approval_by_requester")), "{verb}");
    }
    // One credential is one source, with any note and by any verb.
    for (verb, body) in [
        ("approve", json!({})),
        ("approve", json!({"actor": "a second"})),
        (
            "approve",
            json!({"actor": "else", "idempotency_suffix": "again"}),
        ),
        (
            "operator-signal",
            json!({"signal_name": "approved", "actor": "third"}),
        ),
    ] {
        let (status, answer) = decide(&ada, verb, body).await;
        assert!(status.is_success(), "{verb}: {answer}");
    }
    let (status, minted) = decide(&ada, "waitpoints/votes/token", json!({})).await;
    assert_eq!(status, 200, "{minted}");
    let signal = json!({
        "signal_name": "approved", "waitpoint_token": minted["waitpoint_token"],
        "source_type": "vote", "source_identity": "fourth",
    });
    let (status, answer) = decide(&ada, "signal", signal).await;
    assert!(status.is_success(), "{answer}");
    let (_, shown) = host.get(&bob, &format!("/v1/executions/{id}")).await;
    assert_eq!(
        shown["public_state"], "suspended",
        "one credential has decided"
    );
    let (status, answer) = decide(&bob, "approve", json!({})).await;
    assert_eq!(
        (status.as_u16(), &answer["effect"]),
        (202, &json!("resume_condition_satisfied")),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_may_let_the_requester_decide() {
    let host = Guarded::start().await;
    host.word().await;
    let asks = host.key("asks", Role::Operator, Some("a")).await;
    let worker = host.key("worker", Role::Worker, Some("a")).await;
    let policy = json!({"allow_requester": true});
    let id = undecided(&host, &asks, &worker, policy).await;
    let path = format!("/v1/executions/{id}/approve");
    let (status, answer) = host.post(&asks, &path, json!({})).await;
    assert_eq!(status, 202, "{answer}");
}
