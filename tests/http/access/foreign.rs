//! What belongs to another namespace does not exist: every route that takes an id answers for
//! a foreign one as for an unknown one, byte for byte but for the id.

use model::Role;
use reqwest::Method;
use serde_json::{Value, json};
use server::http::{Access, ROUTES, Route, Within};

use super::guarded::{Guarded, Key, Raw};
use crate::support::http_waiting::named;

/// An id that no execution has.
const UNKNOWN: &str = "01990000-0000-7000-8000-000000000000";

/// A body with which the request reaches the execution.
fn body(route: &Route, token: &str) -> Option<Value> {
    if route.method == Method::GET {
        return None;
    }
    let last = route.path.rsplit('/').next().expect("a path");
    Some(match last {
        "priority" => json!({"priority": 7}),
        "block" => json!({"blocking_reason": "waiting_for_quota"}),
        "complete" => json!({"result": 1}),
        "fail" => json!({"class": "permanent", "code": "no", "message": "no"}),
        "delay" => json!({"delay_ms": 60_000}),
        "tags" => json!({"tags": {"app.a": "b"}}),
        "operator-signal" => json!({"signal_name": "approved"}),
        "signal" => json!({"signal_name": "approved", "waitpoint_token": token}),
        "claim-grant" | "reclaim-grant" => json!({"worker_id": "w", "worker_instance_id": "w-1"}),
        "dead" => json!({"reason": "lost"}),
        _ => json!({}),
    })
}

fn role_of(route: &Route) -> Option<Role> {
    match route.access {
        Access::Wants {
            role,
            within: Within::Query,
        } => Some(role),
        _ => None,
    }
}

/// An execution of namespace `b` that waits at a waitpoint `door`; its id and the token.
async fn suspended(host: &Guarded) -> (String, String) {
    let creator = host.key("creator-b", Role::Submitter, Some("b")).await;
    let worker = host.key("worker-b", Role::Worker, Some("b")).await;
    let (id, claimed) = host.held(&creator, &worker, json!({})).await;
    let suspend = json!({
        "lease": claimed["lease"], "resume_condition": named("door", "approved"),
    });
    let (status, suspended) = host.post(&worker, "/v1/leases/suspend", suspend).await;
    assert_eq!(status, 200, "{suspended}");
    let token = suspended["waitpoints"][0]["waitpoint_token"]
        .as_str()
        .expect("a token");
    (id, token.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_execution_is_answered_like_an_unknown_one_on_every_route() {
    let host = Guarded::start().await;
    host.word().await;
    let (id, token) = suspended(&host).await;
    let all = host.key("all", Role::Admin, None).await;
    let mut tried = 0;
    for route in ROUTES
        .iter()
        .filter(|it| it.path.contains("/executions/{id}"))
    {
        let role = role_of(route).unwrap_or_else(|| panic!("{} is in query", route.path));
        let key = host
            .key(&format!("a-{}", route.operation()), role, Some("a"))
            .await;
        let ask = async |key: &Key, id: &str| -> Raw {
            let path = route
                .path
                .replace("{id}", id)
                .replace("{attempt}", "0")
                .replace("{waitpoint}", "door");
            let body = body(route, &token);
            let method = route.method.clone();
            let (status, text) = host
                .raw(Some(&key.text), method, &path, body.as_ref())
                .await;
            (status, text.replace(id, "ID"))
        };
        let foreign = ask(&key, &id).await;
        let unknown = ask(&key, UNKNOWN).await;
        assert_eq!(foreign, unknown, "{} {}", route.method, route.path);
        let told: Value = serde_json::from_str(&foreign.1).expect("a problem");
        let expected = match route.path.ends_with("/signal") {
            true => "invalid_token",
            false => "execution_not_found",
        };
        assert_eq!(
            told["code"], expected,
            "{} {}: {told}",
            route.method, route.path
        );
        // A caller that may see it gets another answer.
        if route.method == Method::GET {
            assert_ne!(ask(&all, &id).await, foreign, "{}", route.path);
        }
        tried += 1;
    }
    assert!(tried >= 30, "{tried} routes take the id of an execution");
    let (_, now) = host.get(&all, &format!("/v1/executions/{id}")).await;
    assert_eq!(now["public_state"], "suspended", "nothing was done to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_worker_is_answered_like_an_unknown_one_on_every_route() {
    let host = Guarded::start().await;
    let worker = host.key("worker-b", Role::Worker, Some("b")).await;
    let register = |instance: &str| json!({"worker_id": "w", "worker_instance_id": instance});
    let (status, answer) = host.post(&worker, "/v1/workers", register("theirs")).await;
    assert_eq!(status, 201, "{answer}");
    for route in ROUTES.iter() {
        let (true, Some(role)) = (route.path.contains("{worker_instance_id}"), role_of(route))
        else {
            continue;
        };
        if route.path.ends_with("/claim-grant") {
            // Names who will hold the lease, and no worker of the registry.
            continue;
        }
        let key = host
            .key(&format!("a-{}", route.operation()), role, Some("a"))
            .await;
        let ask = async |name: &str| {
            let path = route.path.replace("{worker_instance_id}", name);
            let body = body(route, "");
            let method = route.method.clone();
            host.raw(Some(&key.text), method, &path, body.as_ref())
                .await
        };
        let (foreign, unknown) = (ask("theirs").await, ask("unknown").await);
        assert_eq!(foreign, unknown, "{} {}", route.method, route.path);
        assert!(foreign.1.contains("not_registered"), "{foreign:?}");
    }
    // Their place cannot be taken either.
    let own = host.key("worker-a", Role::Worker, Some("a")).await;
    let (status, answer) = host.post(&own, "/v1/workers", register("theirs")).await;
    assert_eq!(answer["code"], "instance_reassigned", "{status} {answer}");
    let (status, answer) = host
        .post(&worker, "/v1/workers/theirs/heartbeat", json!({}))
        .await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_handle_is_answered_like_a_forged_one_on_every_route() {
    let host = Guarded::start().await;
    host.word().await;
    let creator = host.key("creator-b", Role::Submitter, Some("b")).await;
    let theirs = host.key("worker-b", Role::Worker, Some("b")).await;
    let own = host.key("worker-a", Role::Worker, Some("a")).await;
    let (id, claimed) = host.held(&creator, &theirs, json!({})).await;
    let lease = claimed["lease"].as_str().expect("a handle");
    let waits = host.create(&creator, json!({"kind": "word"})).await;
    let grant = json!({"worker_id": "w", "worker_instance_id": "w-1"});
    let path = format!("/v1/executions/{waits}/claim-grant");
    let (status, granted) = host.post(&theirs, &path, grant).await;
    assert_eq!(status, 200, "{granted}");
    let grant = granted["grant"].as_str().expect("a handle");
    let mut tried = 0;
    for route in ROUTES.iter() {
        let Access::Wants {
            within: Within::Handle,
            ..
        } = route.access
        else {
            continue;
        };
        let request = |handle: &str| match route.path.as_str() {
            "/v1/grants/claim" | "/v1/grants/reclaim" => json!({"grant": handle}),
            "/v1/leases/fail" => {
                json!({"lease": handle, "class": "permanent", "code": "x", "message": "x"})
            }
            "/v1/leases/delay" => json!({"lease": handle, "delay_ms": 1}),
            "/v1/leases/cancel" => json!({"lease": handle, "reason": "x"}),
            "/v1/leases/progress" => json!({"lease": handle, "percent": 1}),
            "/v1/leases/result" => {
                json!({"lease": handle, "execution_id": "01990000-0000-7000-8000-000000000000"})
            }
            "/v1/leases/frames" => json!({"lease": handle, "frame_type": "x"}),
            "/v1/leases/suspend" => {
                json!({"lease": handle, "resume_condition": named("k", "x")})
            }
            "/v1/leases/waitpoints/close" => json!({"lease": handle, "waitpoint": "k"}),
            _ => json!({"lease": handle}),
        };
        let handle = match route.path.starts_with("/v1/grants/") {
            true => grant,
            false => lease,
        };
        let (_, foreign) = host.post(&own, &route.path, request(handle)).await;
        let (_, forged) = host.post(&own, &route.path, request("v1.x.y")).await;
        assert_eq!(foreign, forged, "{}", route.path);
        let code = foreign["code"].as_str().expect("a code");
        let codes = ["invalid_handle", "invalid_claim_grant", "grant_not_found"];
        assert!(codes.contains(&code), "{}: {foreign}", route.path);
        tried += 1;
    }
    assert_eq!(tried, 18, "routes that take handles");
    let complete = json!({"lease": lease, "result": 1});
    let (status, done) = host.post(&theirs, "/v1/leases/complete", complete).await;
    assert_eq!((status.as_u16(), &done["id"]), (200, &json!(id)), "{done}");
    let (status, claimed) = host
        .post(&theirs, "/v1/grants/claim", json!({"grant": grant}))
        .await;
    assert_eq!(status, 200, "{claimed}");
}
