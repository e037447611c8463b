//! What operators do and who was refused is noted, with the credential and the outcome.

use model::{Role, Scope};
use reqwest::Method;
use serde_json::json;
use testkit::{Answered, eventually};

use super::guarded::Guarded;

/// Everything that was noted, the last first.
fn all() -> engine::AuditFilter {
    engine::AuditFilter {
        within: Scope::Everywhere,
        credential: None,
        verb: None,
        namespace: None,
        since: None,
        until: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_verb_of_an_operator_is_noted_with_its_outcome_and_no_read_is() {
    let host = Guarded::start().await;
    host.word().await;
    let operator = host.key("ops", Role::Operator, Some("a")).await;
    let viewer = host.key("eyes", Role::Viewer, Some("a")).await;
    let id = host.create(&operator, json!({"kind": "word"})).await;
    let path = |verb: &str| format!("/v1/executions/{id}/{verb}");
    for (key, verb, status) in [
        (&operator, "hold", 200),
        (&operator, "hold?dry_run=true", 200),
        (&operator, "replay", 409),
        (&viewer, "cancel", 403),
        (&operator, "cancel?namespace=b", 403),
        (&operator, "cancel", 200),
    ] {
        let (told, answer) = host.post(key, &path(verb), json!({})).await;
        assert_eq!(told, status, "{verb}: {answer}");
    }
    let (status, _) = host.get(&operator, &path("operations")).await;
    assert_eq!(status, 200);
    let noted = host.engine.audit(&all(), None, 100).await.answered();
    let noted: Vec<_> = noted
        .rows
        .iter()
        .rev()
        .map(|it| {
            assert!(it.address.is_some(), "{it:?}");
            let credential = it.credential.clone().expect("a credential");
            let outcome = it.outcome.clone().expect("an outcome");
            let namespace = it.namespace.clone().unwrap_or_default();
            [credential, it.verb.clone(), namespace, outcome].join(" ")
        })
        .collect();
    assert_eq!(
        noted,
        [
            "key:ops executions_hold a done",
            "key:ops executions_replay a execution_not_terminal",
            "key:eyes executions_cancel  role_missing",
            "key:ops executions_cancel b role_missing",
            "key:ops executions_cancel a done",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_a_valid_credential_are_counted_by_address() {
    let host = Guarded::start().await;
    for bearer in [None, Some("fh_wrong"), Some("a.b.c")] {
        let answer = host.raw(bearer, Method::GET, "/v1/lanes", None).await;
        assert_eq!(answer.0, 401);
    }
    let refused = eventually("three refusals are counted", async || {
        let sums = host
            .engine
            .audit_refusals(None, None, None, 10)
            .await
            .answered();
        let count: u64 = sums.rows.iter().map(|it| it.count).sum();
        (count == 3).then_some(sums.rows)
    })
    .await;
    assert!(
        refused.iter().all(|it| it.address == "127.0.0.1"),
        "{refused:?}"
    );
}
