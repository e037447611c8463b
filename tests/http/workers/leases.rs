//! Leases of workers that are not components, as a program meets them over HTTP.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::api::{code, flowhost, with};
use crate::support::http_work::{claim_one, start, word};

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_lease_is_refused_by_name_and_another_worker_claims() {
    let (database, api) = start().await;
    let id = api.create(word("slow")).await;
    let first = claim_one(&api, "w-1").await;
    let renew = json!({"lease": first["lease"], "lease_ttl_ms": 30_000});
    let (status, body) = api.post("/v1/leases/renew", renew.clone()).await;
    assert_eq!(
        (status, &body["outcome"]),
        (StatusCode::OK, &json!("renewed"))
    );
    database.advance(Duration::from_secs(31)).await;
    let late = json!({"lease": first["lease"], "result_text": "too late"});
    let refused = api.post("/v1/leases/complete", late.clone()).await;
    assert_eq!(code(&refused), (409, "lease_expired"));
    let second = claim_one(&api, "w-2").await;
    assert_eq!(
        (&second["attempt"], &second["attempt_type"]),
        (&json!(1), &json!("reclaim"))
    );
    for path in ["renew", "complete"] {
        let body = if path == "renew" { &renew } else { &late };
        let refused = api.post(&format!("/v1/leases/{path}"), body.clone()).await;
        assert_eq!(code(&refused), (409, "stale_lease"), "{path}");
    }
    let done = json!({"lease": second["lease"], "result_text": "in time"});
    api.post("/v1/leases/complete", done).await;
    assert_eq!(api.result(&id).await.1, b"in time");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_handle_has_one_answer() {
    let (_database, api) = start().await;
    let (_other_database, other) = start().await;
    api.create(word("x")).await;
    other.create(word("x")).await;
    let good = claim_one(&api, "w-1").await["lease"].clone();
    let good = good.as_str().expect("a handle");
    let foreign = claim_one(&other, "w-1").await["lease"].clone();
    let mut bad: Vec<String> = vec![
        String::new(),
        "v1".into(),
        "v1..".into(),
        good.replacen("v1", "v2", 1),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        foreign.as_str().expect("a handle").to_owned(),
    ];
    // Every bit of every character that is still text; `engine::handle` flips
    // them all.
    bad.extend((0..good.len()).map(|at| {
        let mut bytes = good.as_bytes().to_vec();
        bytes[at] ^= 1 << (at % 7);
        String::from_utf8(bytes).expect("still text")
    }));
    let leases: Vec<_> = bad.iter().map(|lease| json!({"lease": lease})).collect();
    let (status, body) = api
        .post("/v1/leases/release", json!({"leases": leases}))
        .await;
    assert_eq!(status, StatusCode::OK);
    let verdicts = body["results"].as_array().expect("a list");
    assert_eq!(verdicts.len(), bad.len());
    let first = &verdicts[0]["problem"];
    for (verdict, bad) in verdicts.iter().zip(&bad) {
        assert_eq!(verdict["status"], 400, "{bad}: {verdict}");
        assert_eq!(&verdict["problem"], first, "{bad}");
    }
    for path in ["complete", "delay", "cancel", "progress", "fail", "renew"] {
        let body = match path {
            "delay" => json!({"lease": "x", "delay_ms": 1}),
            "fail" => json!({"lease": "x", "code": "broken"}),
            _ => json!({"lease": "x"}),
        };
        let refused = api.post(&format!("/v1/leases/{path}"), body).await;
        assert_eq!(code(&refused), (400, "invalid_handle"), "{path}");
    }
    let (status, body) = api.post("/v1/leases/release", json!({"lease": good})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_in_each_of_its_ways() {
    let (database, api) = start().await;
    let mut ids = Vec::new();
    for text in ["fail", "retry", "delay", "release", "cancel"] {
        ids.push(api.create(word(text)).await);
    }
    let mut leases = Vec::new();
    for id in &ids {
        let claimed = claim_one(&api, "w-1").await;
        assert_eq!(&claimed["id"], id);
        leases.push(claimed["lease"].clone());
    }
    let ends = [
        (
            "fail",
            json!({"class": "permanent", "code": "bad_word", "message": "no such word"}),
            "failed",
        ),
        ("fail", json!({"code": "busy"}), "retry_scheduled"),
        ("delay", json!({"delay_ms": 60_000}), "delayed"),
        ("release", json!({}), "released"),
        ("cancel", json!({"reason": "not wanted"}), "cancelled"),
    ];
    for ((path, mut body, outcome), lease) in ends.into_iter().zip(&leases) {
        body["lease"] = lease.clone();
        let (status, answer) = api.post(&format!("/v1/leases/{path}"), body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        assert_eq!(answer["outcome"], outcome, "{path}");
    }
    for (id, state) in ids
        .iter()
        .zip(["failed", "delayed", "delayed", "waiting", "cancelled"])
    {
        let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
        assert_eq!(info["public_state"], state, "{info}");
    }
    let (_, info) = api.get(&format!("/v1/executions/{}", ids[0])).await;
    assert_eq!(info["failure"]["code"], "bad_word");
    let again = claim_one(&api, "w-2").await;
    assert_eq!(again["id"], ids[3].as_str());
    let (status, _) = api
        .post(&format!("/v1/executions/{}/cancel", ids[3]), json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    let gone = json!({"lease": again["lease"], "result_text": "x"});
    let refused = api.post("/v1/leases/complete", gone).await;
    assert_eq!(code(&refused), (409, "execution_not_active"));
    assert_eq!(refused.1["outcome"], "cancelled");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_for_children_until_a_time_and_closes_its_waitpoint() {
    let (database, api) = start().await;
    let (mut ids, mut leases) = (Vec::new(), Vec::new());
    for text in ["children", "operator", "until", "waitpoint"] {
        ids.push(api.create(word(text)).await);
        leases.push(claim_one(&api, "w-1").await["lease"].clone());
    }
    for lease in &leases[..2] {
        let late = json!({"kind": "word", "delay_ms": 3_600_000});
        let start = json!({"lease": lease, "members": [late]});
        assert_eq!(
            api.post("/v1/leases/children", start).await.0,
            StatusCode::OK
        );
    }
    let children = json!({"lease": leases[0]});
    for _ in 0..2 {
        let (status, answer) = api.post("/v1/leases/wait-children", children.clone()).await;
        let wanted = json!({"id": ids[0], "outcome": "waiting_children"});
        assert_eq!((status, answer), (StatusCode::OK, wanted));
    }
    api.until(&ids[0], "waiting_children").await;
    let gone = json!({"lease": leases[0], "result": 1});
    let refused = api.post("/v1/leases/complete", gone).await;
    assert_eq!(code(&refused), (409, "execution_not_active"));

    let command = ["override", "wait-children", &ids[1], "--reason", "stuck"];
    let (exit, out, complaint) = flowhost(&api, &command).await;
    assert_eq!(exit, 0, "{complaint}");
    assert!(
        out.ends_with("is waiting_children (waiting_for_children)\n"),
        "{out}"
    );
    let late = json!({"lease": leases[1]});
    let refused = api.post("/v1/leases/wait-children", late).await;
    assert_eq!(code(&refused), (200, ""), "the same end: {}", refused.1);
    let path = format!("/v1/executions/{}/wait-children", ids[1]);
    let refused = api.post(&path, json!({"actor": "alice"})).await;
    assert_eq!(code(&refused), (409, "execution_not_active"));

    let until = "2999-01-01T00:00:00Z";
    let delay = |more| with(json!({"lease": leases[2]}), more);
    for wrong in [json!({}), json!({"delay_ms": 1, "delay_until": until})] {
        let refused = api.post("/v1/leases/delay", delay(wrong)).await;
        assert_eq!(code(&refused), (422, "invalid_input"));
    }
    let wrong = delay(json!({"delay_until": "soon"}));
    let refused = api.post("/v1/leases/delay", wrong).await;
    assert_eq!(refused.1["field"], "delay_until", "{}", refused.1);
    let delay = delay(json!({"delay_until": until}));
    let (status, answer) = api.post("/v1/leases/delay", delay).await;
    assert_eq!(
        (status, &answer["due_at"]),
        (StatusCode::OK, &json!(until)),
        "{answer}"
    );

    let lease = &leases[3];
    let make = json!({"lease": lease, "waitpoint_key": "door"});
    let (status, made) = api.post("/v1/leases/waitpoints", make).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let close = |waitpoint: &str| json!({"lease": lease, "waitpoint": waitpoint});
    let unknown = api.post("/v1/leases/waitpoints/close", close("gate")).await;
    assert_eq!(code(&unknown), (404, "waitpoint_not_found"));
    for _ in 0..2 {
        let (status, answer) = api.post("/v1/leases/waitpoints/close", close("door")).await;
        let wanted = json!({"id": ids[3], "outcome": "waitpoint_closed"});
        assert_eq!((status, answer), (StatusCode::OK, wanted));
    }
    let signal = json!({"waitpoint_token": made["waitpoint_token"], "signal_name": "open"});
    let path = format!("/v1/executions/{}/signal", ids[3]);
    let refused = api.post(&path, signal).await;
    assert_eq!(code(&refused), (409, "waitpoint_closed"));
    let by_hand = ["override", "delay", &ids[3], "--until", until];
    let (exit, _, complaint) = flowhost(&api, &by_hand).await;
    assert_eq!(exit, 0, "{complaint}");
    let (_, info) = api.get(&format!("/v1/executions/{}", ids[3])).await;
    assert_eq!(info["wake_at"], until, "{info}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cannot_use_codes_of_the_engine_and_learns_the_next_attempt() {
    let (_database, api) = start().await;
    let id = api.create(word("x")).await;
    let lease = claim_one(&api, "w-1").await["lease"].clone();
    let fail =
        |code: &str| json!({"lease": lease, "class": "transient", "code": code, "message": "m"});
    let overriding = json!({"class": "permanent", "code": "attempt_timeout", "message": "m"});
    for refused in [
        api.post("/v1/leases/fail", fail("attempt_timeout")).await,
        api.post(&format!("/v1/executions/{id}/fail"), overriding)
            .await,
    ] {
        assert_eq!(code(&refused), (422, "invalid_input"));
        let detail = refused.1["detail"].as_str().expect("a sentence");
        assert!(detail.contains("`attempt_timeout` is reserved"), "{detail}");
    }
    let (status, failed) = api.post("/v1/leases/fail", fail("busy")).await;
    assert_eq!(status, StatusCode::OK, "{failed}");
    assert_eq!(
        (&failed["outcome"], &failed["next_attempt_index"]),
        (&json!("retry_scheduled"), &json!(1))
    );
    let again = api.post("/v1/leases/fail", fail("busy")).await;
    assert_eq!(again, (StatusCode::OK, failed), "as the first");
    let other = api.post("/v1/leases/fail", fail("broken")).await;
    assert_eq!(code(&other), (409, "execution_not_active"));
}
