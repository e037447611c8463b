//! Claims in two steps, for external schedulers: a grant reserves an execution for a
//! worker, and redeeming it gives the lease.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::eventually;

use crate::support::api::{Api, code};
use crate::support::http_work::{claim_one, claim_with, grant, redeem, start, word};

async fn eligible(api: &Api) -> Vec<String> {
    let (status, body) = api.get("/v1/lanes/default/eligible").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let executions = body["executions"].as_array().expect("a list");
    executions
        .iter()
        .map(|one| one["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_reserves_an_execution_for_one_worker_and_is_redeemed_once() {
    let (database, api) = start().await;
    let first = api.create(word("first")).await;
    let second = api.create(word("second")).await;
    let urgent = api
        .create(json!({"kind": "word", "input": 1, "priority": 9, "policy":
            {"routing_requirements": {"required_capabilities": ["wing", "ear", "gill"]}}}))
        .await;
    assert_eq!(eligible(&api).await, [&*urgent, &*first, &*second]);
    let refused = grant(&api, &urgent, "claim", 60_000).await;
    assert_eq!(code(&refused), (409, "capability_mismatch"));
    assert_eq!(refused.1["missing"], json!(["gill", "wing"]));

    let (status, granted) = grant(&api, &first, "claim", 60_000).await;
    assert_eq!(status, StatusCode::OK, "{granted}");
    let refused = grant(&api, &first, "claim", 60_000).await;
    assert_eq!(code(&refused), (409, "grant_already_exists"));
    assert_eq!(eligible(&api).await, [&*urgent, &*second]);
    let (_, info) = api.get(&format!("/v1/executions/{first}")).await;
    assert_eq!(info["public_state"], "waiting");
    let claimed = claim_with(&api, "w-2", json!({"max": 10})).await;
    assert_eq!(claimed.len(), 1, "the granted one is passed by");
    assert_eq!(claimed[0]["id"], second.as_str());

    let refused = redeem(&api, "reclaim", &granted).await;
    assert_eq!(code(&refused), (404, "grant_not_found"));
    let changed = json!({"grant": granted["grant"], "capability_hash": "e3b0c44298fc1c14"});
    let refused = api.post("/v1/grants/claim", changed).await;
    assert_eq!(code(&refused), (409, "capability_mismatch"));
    let as_before =
        json!({"grant": granted["grant"], "capability_hash": granted["capability_hash"]});
    let (status, lease) = api.post("/v1/grants/claim", as_before).await;
    assert_eq!(status, StatusCode::OK, "{lease}");
    assert_eq!(lease["id"], first.as_str());
    let refused = redeem(&api, "claim", &granted).await;
    assert_eq!(code(&refused), (409, "invalid_claim_grant"));
    let done = json!({"lease": lease["lease"], "result_text": "done"});
    let (status, body) = api.post("/v1/leases/complete", done).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let attempts = api.attempts(&first).await;
    assert_eq!(attempts[0]["leases"][0]["worker_instance_id"], "w-1");
    let refused = grant(&api, &first, "claim", 60_000).await;
    assert_eq!(code(&refused), (409, "execution_not_eligible"));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_grant_returns_the_execution_to_its_place_in_the_queue() {
    let (database, api) = start().await;
    let first = api.create(word("first")).await;
    let second = api.create(word("second")).await;
    let (_, granted) = grant(&api, &first, "claim", 60_000).await;
    assert_eq!(eligible(&api).await, [&*second]);
    database.advance(Duration::from_secs(61)).await;
    assert_eq!(eligible(&api).await, [&*first, &*second]);
    let claimed = claim_one(&api, "w-2").await;
    assert_eq!(claimed["id"], first.as_str(), "it kept its place");
    // The time the handle names is not over, since only stored times were moved:
    // what counts is that another worker was quicker.
    let refused = redeem(&api, "claim", &granted).await;
    assert_eq!(code(&refused), (409, "invalid_claim_grant"));

    let (_, brief) = grant(&api, &second, "claim", 1).await;
    eventually("the grant lapses", async || {
        let refused = redeem(&api, "claim", &brief).await;
        (code(&refused) == (409, "claim_grant_expired")).then_some(())
    })
    .await;
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_execution_can_be_cancelled_and_can_expire() {
    let (database, api) = start().await;
    let cancelled = api.create(word("cancelled")).await;
    let expires = api
        .create(json!({"kind": "word", "input": 1, "policy":
            {"timeout_policy": {"execution_deadline_ms": 30_000}}}))
        .await;
    let (_, first) = grant(&api, &cancelled, "claim", 60_000).await;
    let (_, second) = grant(&api, &expires, "claim", 60_000).await;
    let (status, _) = api
        .post(&format!("/v1/executions/{cancelled}/cancel"), json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    database.advance(Duration::from_secs(31)).await;
    api.until(&expires, "expired").await;
    for (granted, outcome) in [(first, "cancelled"), (second, "expired")] {
        let refused = redeem(&api, "claim", &granted).await;
        assert_eq!(code(&refused), (409, "invalid_claim_grant"));
        assert!(refused.1["detail"].to_string().contains(outcome));
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_execution_is_reclaimed_by_grant() {
    let (database, api) = start().await;
    let id = api
        .create(json!({"kind": "word", "input": 1, "policy":
            {"timeout_policy": {"max_reclaim_count": 1}}}))
        .await;
    let refused = grant(&api, &id, "reclaim", 60_000).await;
    assert_eq!(code(&refused), (409, "execution_not_reclaimable"));
    claim_one(&api, "w-2").await;
    let refused = grant(&api, &id, "reclaim", 60_000).await;
    assert_eq!(code(&refused), (409, "execution_not_reclaimable"));
    database.advance(Duration::from_secs(31)).await;
    let (status, granted) = grant(&api, &id, "reclaim", 60_000).await;
    assert_eq!(status, StatusCode::OK, "{granted}");
    let refused = redeem(&api, "claim", &granted).await;
    assert_eq!(code(&refused), (409, "invalid_claim_grant"));
    let (status, lease) = redeem(&api, "reclaim", &granted).await;
    assert_eq!(status, StatusCode::OK, "{lease}");
    assert_eq!(
        (&lease["attempt"], &lease["attempt_type"]),
        (&json!(1), &json!("reclaim"))
    );
    database.advance(Duration::from_secs(31)).await;
    let refused = grant(&api, &id, "reclaim", 60_000).await;
    assert_eq!(code(&refused), (409, "reclaim_cap_exceeded"));
    assert_eq!(refused.1["reclaim_count"], 1);
    assert_eq!(
        api.until(&id, "failed").await["failure"]["code"],
        "max_reclaims_exceeded"
    );
    let refused = redeem(&api, "reclaim", &granted).await;
    assert_eq!(code(&refused), (409, "reclaim_cap_exceeded"));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_and_claims_that_race_lease_each_execution_once() {
    let (database, api) = start().await;
    let executions: Vec<_> = (0..80).map(|number| word(&number.to_string())).collect();
    let (status, _) = api
        .post("/v1/executions/batch", json!({"executions": executions}))
        .await;
    assert_eq!(status, StatusCode::OK);
    let schedulers = (0..4).map(|_| {
        let api = &api;
        async move {
            let body = json!({"lane": "default", "worker_id": "w", "grant_ttl_ms": 60_000});
            let mut got = Vec::new();
            loop {
                let (_, found) = api.post("/v1/workers/w-1/claim-grant", body.clone()).await;
                let Some(id) = found["granted"]["execution_id"].as_str() else {
                    return got;
                };
                // All want the same one; its grant keeps it from all others.
                let refused = grant(api, id, "claim", 60_000).await;
                assert_eq!(code(&refused), (409, "grant_already_exists"));
                let (status, lease) = redeem(api, "claim", &found["granted"]).await;
                assert_eq!(status, StatusCode::OK, "{lease}");
                got.push(lease["id"].to_string());
            }
        }
    });
    let claimers = (0..2).map(|_| {
        let api = &api;
        async move {
            let mut got = Vec::new();
            loop {
                let claimed = claim_with(api, "w-2", json!({})).await;
                if claimed.is_empty() {
                    return got;
                }
                got.extend(claimed.into_iter().map(|one| one["id"].to_string()));
            }
        }
    });
    let (granted, claimed) = tokio::join!(
        futures::future::join_all(schedulers),
        futures::future::join_all(claimers)
    );
    let granted: Vec<_> = granted.into_iter().flatten().collect();
    let claimed: Vec<_> = claimed.into_iter().flatten().collect();
    let all: std::collections::BTreeSet<_> = granted.iter().chain(&claimed).collect();
    assert_eq!((all.len(), granted.len() + claimed.len()), (80, 80));
    assert!(!granted.is_empty() && !claimed.is_empty(), "they raced");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_finds_work_for_a_worker_in_one_call() {
    let (_database, api) = start().await;
    let ask = |kinds: Value| {
        let body = json!({"lane": "default", "worker_id": "w", "kinds": kinds});
        api.post("/v1/workers/w-1/claim-grant", body)
    };
    let (status, none) = ask(json!(["word"])).await;
    assert_eq!((status, &none["granted"]), (StatusCode::OK, &Value::Null));
    let id = api.create(word("x")).await;
    assert_eq!(ask(json!(["other"])).await.1["granted"], Value::Null);
    let (_, found) = ask(json!(["word"])).await;
    assert_eq!(found["granted"]["execution_id"], id.as_str(), "{found}");
    assert_eq!(ask(json!(["word"])).await.1["granted"], Value::Null);
    let (status, lease) = redeem(&api, "claim", &found["granted"]).await;
    assert_eq!((status, &lease["id"]), (StatusCode::OK, &json!(id)));
    // A lane that does not serve grants nothing.
    let waiting = api.create(word("y")).await;
    api.ask(
        Method::PUT,
        "/v1/lanes/default",
        Some(json!({"state": "paused"})),
    )
    .await;
    let refused = grant(&api, &waiting, "claim", 1000).await;
    assert_eq!(code(&refused), (409, "execution_not_eligible"));
    eventually("the lane is known to be paused", async || {
        eligible(&api).await.is_empty().then_some(())
    })
    .await;
}
