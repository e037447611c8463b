//! What ends a stream that is followed, and what does not.

use std::time::{Duration, Instant};

use model::{Role, Scope};
use serde_json::{Value, json};
use testkit::Answered;

use super::work::{append, follow, frame, path, payloads, read, words};
use crate::http::access::guarded::Guarded;
use crate::http::events::stream::Stream;
use crate::support::api::{Api, builder, text};
use crate::support::http_waiting::{held, named, suspend};
use crate::support::http_work::{claim_one, claim_with, start, word};

/// How an attempt is ended: the route, the body, and the reason that its stream says.
type Ended = (&'static str, Value, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn every_end_of_an_attempt_ends_its_tails_at_once_and_says_how() {
    let (database, api) = start().await;
    let elsewhere = Api::start(builder(&database), &[]).await;
    let of_holder: [Ended; 5] = [
        ("complete", json!({"result": 1}), "attempt_success"),
        (
            "fail",
            json!({"class": "permanent", "code": "x"}),
            "attempt_failure",
        ),
        (
            "fail",
            json!({"class": "transient", "code": "x"}),
            "attempt_failure",
        ),
        ("cancel", json!({}), "attempt_cancelled"),
        ("release", json!({}), "attempt_interrupted"),
    ];
    let of_operator: [Ended; 4] = [
        ("cancel", json!({}), "attempt_cancelled"),
        ("expire", json!({}), "expired"),
        ("revoke-lease", json!({}), "attempt_interrupted"),
        ("complete", json!({"result": 1}), "attempt_success"),
    ];
    // So that nothing is claimed again meanwhile.
    let paused =
        json!({"policy": {"retry_policy": {"backoff": {"type": "fixed", "delay_ms": 60_000}}}});
    let all = of_holder.iter().map(|ended| (true, ended));
    let all = all.chain(of_operator.iter().map(|ended| (false, ended)));
    for (by_holder, (verb, body, reason)) in all {
        let (id, lease) = held(&api, paused.clone()).await;
        let first = append(&api, &lease, "x", json!({})).await;
        let after = text(&first["entry_id"]);
        let mut stream = follow(&api, &id, "", Some(&after)).await;
        let tail = format!("{}/tail?after={after}&wait_ms=30000", path(&id, 0));
        let ends = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let (url, body) = match by_holder {
                true => {
                    let mut body = body.clone();
                    body["lease"] = json!(lease);
                    (format!("/v1/leases/{verb}"), body)
                }
                false => (format!("/v1/executions/{id}/{verb}"), body.clone()),
            };
            let (status, answer) = elsewhere.post(&url, body).await;
            assert!(status.is_success(), "{verb}: {answer}");
            Instant::now()
        };
        let ((status, page), ended) = tokio::join!(api.get(&tail), ends);
        assert!(ended.elapsed() < Duration::from_secs(5), "{verb}");
        assert_eq!(
            (status.as_u16(), &page["closed_reason"]),
            (200, &json!(reason)),
            "{verb}: {page}"
        );
        let end = stream.end().await;
        assert_eq!(end.event.as_deref(), Some("closed"), "{verb}: {end:?}");
        assert_eq!(end.data["closed_reason"], *reason, "{verb}");
        assert_eq!(end.data["closed_at"], page["closed_at"], "{verb}");
        // What was returned to the queue is not claimed instead of the next.
        api.post(&format!("/v1/executions/{id}/cancel"), json!({}))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_holder_and_a_suspension_that_times_out_end_a_tail() {
    let (_database, api) = start().await;
    let id = api.create(word("x")).await;
    let short = json!({"wait_ms": 10_000, "lease_ttl_ms": 1000});
    let claimed = claim_with(&api, "w-1", short).await;
    assert_eq!(claimed[0]["id"], id.as_str());
    let page = read(&api, &id, "/tail?wait_ms=30000").await;
    assert_eq!(page["closed_reason"], "lease_expired", "{page}");
    api.post(&format!("/v1/executions/{id}/cancel"), json!({}))
        .await;
    let (id, lease) = held(&api, json!({})).await;
    let times_out = json!({"timeout_ms": 1000, "timeout_behavior": "fail"});
    suspend(&api, &lease, named("w", "x"), times_out).await;
    let page = read(&api, &id, "/tail?wait_ms=30000").await;
    assert_eq!(page["closed_reason"], "suspension_timeout", "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_or_delayed_attempt_continues_its_stream() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    append(&api, &lease, "a", json!({})).await;
    let mut stream = follow(&api, &id, "", None).await;
    let suspended = suspend(&api, &lease, named("w", "x"), json!({})).await;
    assert_eq!(suspended["outcome"], "suspended");
    let open = read(&api, &id, "").await;
    assert_eq!(open.get("closed_at"), None, "{open}");
    let refused = api
        .post("/v1/leases/frames", frame(&lease, "?", json!({})))
        .await;
    assert_eq!(
        refused.1["code"], "stream_closed",
        "nothing runs: {}",
        refused.1
    );
    let (status, body) = api
        .post(&format!("/v1/executions/{id}/resume"), json!({}))
        .await;
    assert!(status.is_success(), "{body}");
    let lease = text(&claim_one(&api, "w-1").await["lease"]);
    append(&api, &lease, "b", json!({})).await;
    let delay = json!({"lease": lease, "delay_ms": 0});
    let (status, body) = api.post("/v1/leases/delay", delay).await;
    assert!(status.is_success(), "{body}");
    let claimed = claim_one(&api, "w-1").await;
    assert_eq!(claimed["attempt"], 0);
    let lease = text(&claimed["lease"]);
    let last = append(&api, &lease, "c", json!({})).await;
    assert_eq!(last["frame_count"], 3);
    let (seen, _) = words(&mut stream, 3).await;
    assert_eq!(seen.concat(), "abc");
    let fail = json!({"lease": lease, "class": "permanent", "code": "x"});
    let (status, body) = api.post("/v1/leases/fail", fail).await;
    assert!(status.is_success(), "{body}");
    assert_eq!(stream.end().await.data["closed_reason"], "attempt_failure");
    assert_eq!(payloads(&read(&api, &id, "").await).concat(), "abc");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_of_an_attempt_that_never_begins_is_told_when_the_execution_has_ended() {
    let (_database, api) = start().await;
    let id = api.create(word("x")).await;
    let tail = format!("{}/tail?wait_ms=30000", path(&id, 0));
    let mut stream = follow(&api, &id, "", None).await;
    let ends = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (status, body) = api
            .post(&format!("/v1/executions/{id}/cancel"), json!({}))
            .await;
        assert!(status.is_success(), "{body}");
        Instant::now()
    };
    let ((status, answer), ended) = tokio::join!(api.get(&tail), ends);
    assert!(ended.elapsed() < Duration::from_secs(5), "{answer}");
    assert_eq!(
        (status.as_u16(), &answer["code"]),
        (404, &json!("attempt_not_found"))
    );
    let end = stream.end().await;
    assert_eq!(end.event.as_deref(), Some("attempt_not_found"), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_ends_with_the_key_of_its_reader() {
    let host = Guarded::start().await;
    host.word().await;
    let worker = host.key("worker", Role::Worker, Some("a")).await;
    let creator = host.key("creator", Role::Submitter, Some("a")).await;
    let reader = host.key("reader", Role::Viewer, Some("a")).await;
    let (id, claimed) = host.held(&creator, &worker, json!({})).await;
    let lease = text(&claimed["lease"]);
    let append = async |word: &str| {
        let (status, body) = host
            .post(&worker, "/v1/leases/frames", frame(&lease, word, json!({})))
            .await;
        assert_eq!(status, 200, "{body}");
        text(&body["entry_id"])
    };
    let tail = format!("{}/tail", path(&id, 0));
    let url = format!("{}{tail}", host.host.url());
    let client = reqwest::Client::new();
    let mut stream = Stream::open(&client, url.clone(), Some(&reader.text), None).await;
    let last = append("a").await;
    let (seen, _) = words(&mut stream, 1).await;
    assert_eq!(seen, ["a"]);
    let poll = format!("{tail}?after={last}&wait_ms=30000");
    let revokes = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let revoked = host
            .engine
            .revoke_api_key(reader.id, &Scope::Everywhere, "tests");
        revoked.await.accepted();
        Instant::now()
    };
    let ((status, body), revoked) = tokio::join!(host.get(&reader, &poll), revokes);
    assert!(revoked.elapsed() < Duration::from_secs(3));
    assert_eq!(
        (status.as_u16(), &body["code"]),
        (401, &json!("unauthenticated"))
    );
    let end = stream.end().await;
    assert_eq!(end.event.as_deref(), Some("unauthenticated"));
    assert_eq!(end.data["cursor"], last.as_str());
    let again = host.key("again", Role::Viewer, Some("a")).await;
    let mut stream = Stream::open(&client, url, Some(&again.text), Some(&last)).await;
    append("b").await;
    let (seen, _) = words(&mut stream, 1).await;
    assert_eq!(seen, ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_ends_with_its_host() {
    let (_database, mut api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let mut stream = follow(&api, &id, "", None).await;
    let first = append(&api, &lease, "a", json!({})).await;
    let (seen, last) = words(&mut stream, 1).await;
    assert_eq!(
        (seen.concat().as_str(), &json!(last)),
        ("a", &first["entry_id"])
    );
    let poll = format!(
        "{}{}/tail?after={last}&wait_ms=30000",
        api.host.url(),
        path(&id, 0)
    );
    let poll = api.client.get(poll).send();
    let (polled, end) = tokio::join!(poll, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        api.host.signal("TERM");
        stream.end().await
    });
    assert_eq!(end.event.as_deref(), Some("draining"), "{end:?}");
    assert_eq!(end.data["cursor"], last.as_str());
    let polled = polled.expect("an answer").status().as_u16();
    assert!([200, 503].contains(&polled), "{polled}");
    assert_eq!(api.host.exit_code(), Some(0));
}
