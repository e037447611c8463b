//! A cancelled flow: which members it reaches, what is waited for, and what a repeat is told.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::eventually;

use super::graphs::{created, fan_in, member, path};
use crate::support::api::{Api, code, text, with};
use crate::support::http_work::{claim_one, complete, start};

async fn cancel(api: &Api, flow: &Value, query: &str, body: Value) -> Value {
    let at = format!("{}/cancel{query}", path(flow));
    let (status, answer) = api.post(&at, body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_that_waits_tells_that_all_have_ended_and_a_repeat_what_was_done() {
    let (database, api) = start().await;
    let flow = created(&api, fan_in("word")).await;
    let claimed = claim_one(&api, "w-1").await;
    complete(&api, &text(&claimed["lease"])).await;
    let done = text(&claimed["id"]);
    eventually("the flow takes note of the end", async || {
        let (_, page) = api.get("/v1/flows").await;
        (page["flows"][0]["ended_count"] == 1).then_some(())
    })
    .await;
    let why = json!({"reason": "enough", "actor": "ann"});
    let answer = cancel(&api, &flow, "?wait_ms=20000", why).await;
    assert_eq!(answer["status"], "cancelled", "{answer}");
    assert_eq!(answer["cancellation_policy"], "cancel_all");
    assert_eq!(answer["reason"], "enough");
    assert_eq!(
        (&answer["member_count"], &answer["open_member_count"]),
        (&json!(2), &json!(0))
    );
    let again = json!({"reason": "other", "cancellation_policy": "cancel_flow_only"});
    let repeat = cancel(&api, &flow, "", again).await;
    assert_eq!(repeat["status"], "already_terminal");
    let stored = (&repeat["reason"], &repeat["cancellation_policy"]);
    assert_eq!(stored, (&json!("enough"), &json!("cancel_all")));
    assert_eq!(
        repeat["member_execution_ids"],
        answer["member_execution_ids"]
    );
    let (_, finished) = api.get(&format!("/v1/executions/{done}")).await;
    assert_eq!(
        finished["public_state"], "completed",
        "what has ended is not touched"
    );
    let (_, shown) = api.get(&path(&flow)).await;
    assert_eq!(shown["public_flow_state"], "cancelled");
    assert_eq!(shown["cancelled_by"], "ann");
    assert_eq!(
        (
            &shown["counters"]["cancelled"],
            &shown["counters"]["completed"]
        ),
        (&json!(2), &json!(1))
    );
    let more = json!({"members": [{"kind": "word"}]});
    let late = api.post(&format!("{}/members", path(&flow)), more).await;
    assert_eq!(code(&late), (409, "flow_already_terminal"));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_says_which_members_a_cancellation_reaches() {
    let (_database, api) = start().await;
    let policy = |policy: &str| json!({"cancellation_policy": policy});
    let pending = created(&api, with(fan_in("word"), policy("cancel_pending"))).await;
    let claimed = claim_one(&api, "w-1").await;
    let answer = cancel(&api, &pending, "", json!({})).await;
    assert_eq!(answer["cancellation_policy"], "cancel_pending");
    assert_eq!(
        answer["status"], "cancellation_scheduled",
        "none was waited for"
    );
    assert_eq!(
        (&answer["member_count"], &answer["reason"]),
        (&json!(2), &Value::Null)
    );
    let listed = answer["member_execution_ids"].as_array().expect("ids");
    assert!(!listed.contains(&claimed["id"]), "it runs");
    eventually("those that do not run are cancelled", async || {
        let (_, shown) = api.get(&path(&pending)).await;
        (shown["counters"]["cancelled"] == 2).then_some(())
    })
    .await;
    complete(&api, &text(&claimed["lease"])).await;
    let only = created(&api, fan_in("word")).await;
    let answer = cancel(&api, &only, "", policy("cancel_flow_only")).await;
    assert_eq!(
        (&answer["status"], &answer["member_count"]),
        (&json!("cancelled"), &json!(0))
    );
    for _ in 0..2 {
        let claimed = claim_one(&api, "w-1").await;
        complete(&api, &text(&claimed["lease"])).await;
    }
    api.until(&member(&only, 2), "waiting").await;
}
