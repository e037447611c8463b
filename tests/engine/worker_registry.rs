//! The registry of workers: which workers count as live, and what becomes of the
//! leases of those that do not.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::eventually;

use crate::support::api::code;
use crate::support::http_work::{claim_one, hosts_are, register, start, word};

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_worker_is_listed_until_it_stops_reporting() {
    let (database, api) = start().await;
    let (status, body) = register(&api, "w", "w-1").await;
    assert_eq!(status, StatusCode::OK, "refreshed: {body}");
    assert_eq!(body["refreshed"], true);
    let refused = register(&api, "another", "w-1").await;
    assert_eq!(code(&refused), (409, "instance_reassigned"));
    assert!(
        refused.1["detail"]
            .to_string()
            .contains("instance_id reassigned")
    );
    register(&api, "w", "w-2").await;
    hosts_are(&api, 1).await;

    let (_, page) = api.get("/v1/workers?live=true&lane=default&limit=1").await;
    assert!(page["next_cursor"].is_string(), "more: {page}");
    let mut names = Vec::new();
    let mut path = "/v1/workers?live=true&limit=1".to_owned();
    loop {
        let (_, page) = api.get(&path).await;
        names.push(page["workers"][0]["worker_instance_id"].to_string());
        match page["next_cursor"].as_str() {
            Some(next) => path = format!("/v1/workers?live=true&limit=1&after={next}"),
            None => break,
        }
    }
    assert_eq!(names.len(), 3, "two workers and the host itself: {names:?}");
    let (status, beat) = api.post("/v1/workers/w-1/heartbeat", json!({})).await;
    assert_eq!(status, StatusCode::OK, "{beat}");
    assert!(beat["next_expiry"].is_string());
    database.advance(Duration::from_secs(31)).await;
    let refused = api.post("/v1/workers/w-1/heartbeat", json!({})).await;
    assert_eq!(code(&refused), (404, "not_registered"));
    let dead = eventually("the silent worker is given up", async || {
        let (_, worker) = api.get("/v1/workers/w-1").await;
        worker["dead_at"].is_string().then_some(worker)
    })
    .await;
    assert_eq!(dead["live"], false);
    assert!(dead["dead_reason"].to_string().contains("not heard from"));
    let (status, body) = register(&api, "w", "w-1").await;
    assert_eq!(
        (status, &body["refreshed"]),
        (StatusCode::CREATED, &json!(false))
    );
    let (status, _) = api.ask(Method::DELETE, "/v1/workers/w-1", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = api.get("/v1/workers/w-1").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn marking_a_worker_dead_can_release_its_leases() {
    let (database, api) = start().await;
    let id = api.create(word("x")).await;
    let held = claim_one(&api, "w-1").await;
    let (_, kept) = api
        .post(
            "/v1/workers/w-1/dead",
            json!({"reason": "its machine burns"}),
        )
        .await;
    assert_eq!(
        (&kept["already"], &kept["revoked"]),
        (&json!(false), &json!(0))
    );
    let renew = json!({"lease": held["lease"]});
    let (status, _) = api.post("/v1/leases/renew", renew.clone()).await;
    assert_eq!(status, StatusCode::OK, "its lease was left alone");
    let take = json!({"reason": "its machine burns", "revoke_leases": true});
    let (_, taken) = api.post("/v1/workers/w-1/dead", take).await;
    assert_eq!(
        (&taken["already"], &taken["revoked"]),
        (&json!(true), &json!(1))
    );
    let refused = api.post("/v1/leases/renew", renew).await;
    assert_eq!(code(&refused), (409, "lease_revoked"));
    let again = claim_one(&api, "w-2").await;
    assert_eq!(again["id"], id.as_str());
    assert_eq!(again["attempt_type"], "reclaim");
    let attempts = api.attempts(&id).await;
    assert_eq!(attempts[0]["leases"][0]["ended"], "lease_revoked");
    database.assert_invariants().await;
}
