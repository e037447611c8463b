//! What namespaces share without seeing each other: lists, queues, claims, keys of requests,
//! and cursors.

use model::Role;
use reqwest::Method;
use serde_json::{Value, json};
use server::http::{Access, ROUTES, Within};

use super::guarded::Guarded;
use crate::support::http_waiting::named;

#[tokio::test(flavor = "multi_thread")]
async fn no_list_has_a_row_of_another_namespace() {
    let host = Guarded::start().await;
    host.word().await;
    let creator = host.key("creator-b", Role::Submitter, Some("b")).await;
    let worker = host.key("worker-b", Role::Worker, Some("b")).await;
    let lists: Vec<_> = ROUTES
        .iter()
        .filter(|route| route.method == Method::GET && !route.path.contains("{id}"))
        .filter_map(|route| match route.access {
            Access::Wants {
                role,
                within: Within::Query | Within::Any,
            } => Some((route.path.replace("{lane}", "default"), role)),
            _ => None,
        })
        .filter(|(path, _)| !path.contains('{'))
        .collect();
    let mut keys = Vec::new();
    for (path, role) in &lists {
        let name = format!("a{}", path.replace('/', "."));
        let key = host.key(&name, *role, Some("a")).await;
        // Its use is noted once a minute, and shown in the list of keys.
        assert_eq!(host.get(&key, path).await.0, 200, "{path}");
        keys.push((path, key));
    }
    let mut before = Vec::new();
    for (path, key) in keys {
        let answer = host.get(&key, path).await;
        before.push((path, key, answer));
    }
    // In `b`: one that waits for a signal, one that is held, one that is ready, one that
    // ended, and a worker.
    let (_, claimed) = host.held(&creator, &worker, json!({})).await;
    let suspend = json!({
        "lease": claimed["lease"], "resume_condition": named("door", "approved"),
    });
    let (status, answer) = host.post(&worker, "/v1/leases/suspend", suspend).await;
    assert_eq!(status, 200, "{answer}");
    let (_, claimed) = host.held(&creator, &worker, json!({})).await;
    let complete = json!({"lease": claimed["lease"], "result": 1});
    let (status, answer) = host.post(&worker, "/v1/leases/complete", complete).await;
    assert_eq!(status, 200, "{answer}");
    let (_, claimed) = host.held(&creator, &worker, json!({})).await;
    let pending = json!({"lease": claimed["lease"], "waitpoint_key": "early"});
    let (status, answer) = host.post(&worker, "/v1/leases/waitpoints", pending).await;
    assert_eq!(status, 201, "{answer}");
    host.create(&creator, json!({"kind": "word"})).await;
    let register = json!({"worker_id": "w", "worker_instance_id": "theirs"});
    let (status, answer) = host.post(&worker, "/v1/workers", register).await;
    assert_eq!(status, 201, "{answer}");
    for (path, key, before) in before {
        assert_eq!(host.get(&key, path).await, before, "{path}");
    }
    assert!(lists.len() >= 8, "{lists:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_claims_only_in_its_namespaces() {
    let host = Guarded::start().await;
    host.word().await;
    let worker = host.key("worker-a", Role::Worker, Some("a")).await;
    let every = host.key("worker", Role::Worker, None).await;
    let mut ids = Vec::new();
    for namespace in ["a", "b", "a", "c"] {
        let name = format!("c-{namespace}-{}", ids.len());
        let key = host.key(&name, Role::Submitter, Some(namespace)).await;
        ids.push(host.create(&key, json!({"kind": "word"})).await);
    }
    let claim = async |key, body: Value| -> Vec<String> {
        let (status, claimed) = host.post(key, "/v1/workers/w-1/claim", body).await;
        assert_eq!(status, 200, "{claimed}");
        let claimed = claimed["executions"].as_array().expect("a list").clone();
        claimed
            .iter()
            .map(|it| it["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let mut own = claim(&worker, json!({"kinds": ["word"], "max": 10})).await;
    own.sort();
    let mut of_a = vec![ids[0].clone(), ids[2].clone()];
    of_a.sort();
    assert_eq!(own, of_a);
    assert!(
        claim(&worker, json!({"kinds": ["word"], "max": 10}))
            .await
            .is_empty()
    );
    let next = json!({"worker_id": "w", "lane": "default"});
    let path = "/v1/workers/w-1/claim-grant";
    let (_, granted) = host.post(&worker, path, next.clone()).await;
    assert_eq!(granted["granted"], Value::Null, "{granted}");
    let of_c = json!({"kinds": ["word"], "max": 10, "namespaces": ["c", "d"]});
    assert_eq!(claim(&every, of_c).await, [ids[3].clone()]);
    let (_, granted) = host.post(&every, path, next).await;
    assert_eq!(
        granted["granted"]["execution_id"],
        ids[1].as_str(),
        "{granted}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_ids_of_one_namespace_mean_nothing_in_another() {
    let host = Guarded::start().await;
    host.word().await;
    let a = host.key("a", Role::Submitter, Some("a")).await;
    let b = host.key("b", Role::Submitter, Some("b")).await;
    let keyed = json!({"kind": "word", "idempotency_key": "order-1"});
    let of_a = host.create(&a, keyed.clone()).await;
    let of_b = host.create(&b, keyed.clone()).await;
    assert_ne!(of_a, of_b, "each namespace has keys of its own");
    // An id of another namespace is refused like one of this, and binds no key.
    let taken = json!({"kind": "word", "id": of_b, "idempotency_key": "order-2"});
    let (status, refused) = host.post(&a, "/v1/executions", taken).await;
    if refused["code"] != "id_conflict" {
        // The key chooses another partition than the id has.
        assert_eq!(refused["code"], "invalid_input", "{status} {refused}");
    }
    let free = json!({"kind": "word", "idempotency_key": "order-2"});
    let bound = host.create(&a, free).await;
    let (status, _) = host.get(&a, &format!("/v1/executions/{bound}")).await;
    assert_eq!(status, 200);
    // A caller that names a foreign namespace is told what it lacks, and nothing of what is there.
    let foreign = json!({"kind": "word", "namespace": "b", "idempotency_key": "order-1"});
    let (status, refused) = host.post(&a, "/v1/executions", foreign).await;
    assert_eq!(
        (status.as_u16(), &refused["code"]),
        (403, &json!("role_missing"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_good_in_the_namespace_it_was_given_in() {
    let host = Guarded::start().await;
    host.word().await;
    let a = host.key("a", Role::Submitter, Some("a")).await;
    let b = host.key("b", Role::Submitter, Some("b")).await;
    let all = host.key("all", Role::Viewer, None).await;
    for _ in 0..3 {
        host.create(&a, json!({"kind": "word"})).await;
        host.create(&b, json!({"kind": "word"})).await;
    }
    let (_, page) = host.get(&a, "/v1/executions?limit=1").await;
    let cursor = page["next_cursor"].as_str().expect("there is more");
    let (status, _) = host
        .get(&a, &format!("/v1/executions?limit=1&after={cursor}"))
        .await;
    assert_eq!(status, 200);
    for key in [&b, &all] {
        let path = format!("/v1/executions?limit=1&after={cursor}");
        let (_, refused) = host.get(key, &path).await;
        assert_eq!(refused["code"], "invalid_cursor", "{refused}");
    }
}
