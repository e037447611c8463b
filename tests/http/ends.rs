//! The end of an execution as callers see it that wait for it: on the host where it ends
//! and on another one, each is answered what a read answers.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::api::{Answer, Api, builder, text};
use crate::support::http_work::{claim_one, complete, start, word};

/// A way for an execution to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Success,
    Failure,
    Cancelled,
    Expired,
    /// It ends, is replayed, and ends once more while it is waited for.
    Replayed,
}

/// Begins to create and wait; the answer says how the execution ended.
fn create_and_wait(api: &Api) -> JoinHandle<Answer> {
    let request = api
        .client
        .post(format!("{}/v1/executions", api.host.url()))
        .header("prefer", "wait=50")
        .json(&word("x"));
    tokio::spawn(async move {
        let response = request.send().await.expect("the host answers");
        let status = response.status();
        (status, response.json().await.expect("JSON"))
    })
}

/// Begins to wait for an end.
fn wait(api: &Api, id: &str) -> JoinHandle<Answer> {
    let url = format!(
        "{}/v1/executions/{id}/wait?timeout_ms=50000",
        api.host.url()
    );
    let request = api.client.get(url);
    tokio::spawn(async move {
        let response = request.send().await.expect("the host answers");
        let status = response.status();
        (status, response.json().await.expect("JSON"))
    })
}

async fn operate(api: &Api, id: &str, verb: &str) {
    let path = format!("/v1/executions/{id}/{verb}");
    let (status, body) = api.post(&path, json!({"actor": "alice"})).await;
    assert_eq!(status, StatusCode::OK, "{verb}: {body}");
}

/// Ends a claimed execution.
async fn end(api: &Api, end: End, id: &str, lease: &str) {
    match end {
        End::Success | End::Replayed => complete(api, lease).await,
        End::Failure => {
            let fail =
                json!({"lease": lease, "class": "permanent", "code": "broken", "message": "m"});
            let (status, body) = api.post("/v1/leases/fail", fail).await;
            assert_eq!(status, StatusCode::OK, "{body}");
        }
        End::Cancelled => {
            let path = format!("/v1/executions/{id}/cancel");
            let (status, body) = api.post(&path, json!({"reason": "enough"})).await;
            assert_eq!(status, StatusCode::OK, "{body}");
        }
        End::Expired => operate(api, id, "expire").await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_are_answered_what_a_read_answers_on_every_host() {
    let (database, here) = start().await;
    let elsewhere = Api::start(builder(&database), &[]).await;
    for how in [
        End::Success,
        End::Failure,
        End::Cancelled,
        End::Expired,
        End::Replayed,
    ] {
        for caller in [&here, &elsewhere] {
            let created = create_and_wait(caller);
            let claimed = claim_one(&here, "w-1").await;
            let (id, lease) = (text(&claimed["id"]), text(&claimed["lease"]));
            let waits = [wait(&here, &id), wait(&elsewhere, &id)];
            end(&here, how, &id, &lease).await;
            let (status, created) = created.await.expect("answered");
            assert_eq!(status, StatusCode::CREATED, "{how:?}: {created}");
            let (_, read) = here.get(&format!("/v1/executions/{id}")).await;
            assert_eq!(
                (&created["id"], &created["state"]),
                (&read["id"], &read["public_state"]),
                "{how:?}"
            );
            let mut answers: Vec<Answer> = Vec::new();
            for wait in waits {
                answers.push(wait.await.expect("answered"));
            }
            assert_eq!(answers, vec![(StatusCode::OK, read); 2], "{how:?}");
            if how != End::Replayed {
                continue;
            }
            // A wait that begins after the replay is for the next end.
            operate(&elsewhere, &id, "replay").await;
            let waits = [wait(&here, &id), wait(&elsewhere, &id)];
            let again = claim_one(&here, "w-1").await;
            assert_eq!(text(&again["id"]), id);
            end(&here, End::Failure, &id, &text(&again["lease"])).await;
            let (_, read) = elsewhere.get(&format!("/v1/executions/{id}")).await;
            assert_eq!(
                (&read["public_state"], &read["replays"]),
                (&json!("failed"), &json!(1))
            );
            for wait in waits {
                let answer = wait.await.expect("answered");
                assert_eq!(answer, (StatusCode::OK, read.clone()), "{how:?}");
            }
        }
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_its_client_its_time_or_its_namespace() {
    let (_database, api) = start().await;
    let id = api.create(word("x")).await;
    let path = format!("/v1/executions/{id}");
    let read: Value = api.get(&path).await.1;
    let (status, waited) = api.get(&format!("{path}/wait?timeout_ms=0")).await;
    assert_eq!((status, waited), (StatusCode::ACCEPTED, read));
    let (status, _) = api.get(&format!("{path}/wait?namespace=other")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let left = wait(&api, &id);
    left.abort();
    assert!(left.await.expect_err("aborted").is_cancelled());
    // The end is still reported to one who waits on.
    let stays = wait(&api, &id);
    let claimed = claim_one(&api, "w-1").await;
    complete(&api, &text(&claimed["lease"])).await;
    let (status, waited) = stays.await.expect("answered");
    assert_eq!(status, StatusCode::OK);
    assert_eq!(waited["public_state"], "completed");
}
