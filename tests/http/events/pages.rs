//! Pages of events: whole, in order, and no more than the caller may see.

use std::time::{Duration, Instant};

use model::Role;
use serde_json::{Value, json};

use super::read::{all, done, done_many, members, now, read};
use crate::http::access::guarded::Guarded;
use crate::support::api::{Api, builder, text};
use crate::support::http_work::{claim_one, complete, start, word};

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_to_the_end_without_gap_or_repeat() {
    let (database, api) = start().await;
    let ids = done_many(&api, 4).await;
    database.events_are_readable().await;
    let whole = all(&api, "lifecycle", 1000, "").await;
    let names: Vec<(String, String)> = members(&whole, "execution_id")
        .into_iter()
        .zip(members(&whole, "event"))
        .collect();
    let wanted = ids.iter().flat_map(|id| {
        let event = |name: &str| (id.clone(), name.to_owned());
        ["created", "acquired", "success"].map(event)
    });
    assert_eq!(names, wanted.collect::<Vec<_>>());
    for limit in [1, 2, 5] {
        assert_eq!(all(&api, "lifecycle", limit, "").await, whole, "{limit}");
    }
    // From behind each event come those after it.
    for (at, event) in whole.iter().enumerate() {
        let after = text(&event["cursor"]);
        let page = read(&api, &format!("lifecycle?after={after}&limit=1000")).await;
        assert_eq!(page["events"], json!(whole[at + 1..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_is_answered_by_an_event_of_another_host() {
    let (database, here) = start().await;
    let elsewhere = Api::start(builder(&database), &[]).await;
    let after = now(&elsewhere, "completion").await;
    let id = here.create(word("x")).await;
    let claimed = claim_one(&here, "w-1").await;
    let began = Instant::now();
    let path = format!("completion?after={after}&wait_ms=30000");
    let (page, ()) = tokio::join!(read(&elsewhere, &path), async {
        // So that it waits by then; either way the answer is the same.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let lease = json!({"lease": claimed["lease"], "result": 1});
        let (status, _) = here.post("/v1/leases/complete", lease).await;
        assert_eq!(status, 200);
    });
    assert!(began.elapsed() < Duration::from_secs(10), "{page}");
    let events = page["events"].as_array().expect("a list");
    assert_eq!(events.len(), 1, "{page}");
    assert_eq!(events[0]["execution_id"], id.as_str());
    assert_eq!(events[0]["outcome"], "success");
    // Nothing more happens: an empty page, from which the next continues.
    let after = text(&page["cursor"]);
    let page = read(&elsewhere, &format!("completion?after={after}&wait_ms=50")).await;
    assert_eq!(
        (&page["events"], &page["more"]),
        (&json!([]), &json!(false))
    );
    let id = done(&here, json!({})).await;
    let after = text(&page["cursor"]);
    let page = read(
        &elsewhere,
        &format!("completion?after={after}&wait_ms=30000"),
    )
    .await;
    assert_eq!(page["events"][0]["execution_id"], id.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_admits_its_own() {
    let (database, api) = start().await;
    let plain = done(&api, json!({})).await;
    let tagged = done(&api, json!({"tags": {"team.name": "red"}})).await;
    let night = done(&api, json!({"lane": "night", "namespace": "n"})).await;
    database.events_are_readable().await;
    let every = [&plain, &tagged, &night];
    for (filter, wanted) in [
        ("", &every[..]),
        ("&kind=word", &every[..]),
        ("&kind=echo", &[]),
        ("&lane=night", &[&night]),
        ("&namespace=n", &[&night]),
        ("&namespace=m", &[]),
        ("&tag=team.name:red", &[&tagged]),
        ("&tag=team.name:blue", &[]),
        (&format!("&execution_id={plain}"), &[&plain]),
        ("&flow_id=00000000-0000-7000-8000-000000000000", &[]),
    ] {
        let found = all(&api, "completion", 1, filter).await;
        let ids = members(&found, "execution_id");
        assert_eq!(ids.iter().collect::<Vec<_>>(), wanted, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_told_with_their_holders() {
    let (database, api) = start().await;
    let id = api.create(word("x")).await;
    let first = claim_one(&api, "w-1").await;
    let (status, body) = api
        .post(
            &format!("/v1/executions/{id}/revoke-lease"),
            json!({"reason": "r"}),
        )
        .await;
    assert_eq!(status, 200, "{body}");
    let second = claim_one(&api, "w-2").await;
    assert_ne!(first["lease"], second["lease"]);
    complete(&api, &text(&second["lease"])).await;
    database.events_are_readable().await;
    let events = all(&api, "lease_history", 100, "").await;
    let names = members(&events, "event");
    assert_eq!(names, ["acquired", "revoked", "reclaimed", "released"]);
    let [acquired, revoked, reclaimed, released] = &events[..] else {
        panic!("four")
    };
    assert_eq!(acquired["worker_instance_id"], "w-1");
    assert_eq!(revoked["lease_id"], acquired["lease_id"]);
    assert_eq!(revoked["prev_owner"], "w-1");
    assert_eq!(revoked["revoked_by"], "operator");
    assert_eq!(reclaimed["new_owner"], "w-2");
    assert_ne!(reclaimed["new_lease_id"], acquired["lease_id"]);
    assert_eq!(released["lease_id"], reclaimed["new_lease_id"]);
    assert_eq!(released["prev_owner"], "w-2");
    assert_eq!(released["reason"], "success");
    for event in &events {
        assert_eq!(event["family"], "lease_history");
        assert_eq!(event["execution_kind"], "word");
        assert_eq!(event["execution_id"], id.as_str());
        assert!(event.get("outcome").is_none(), "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_one_namespace_sees_only_its_events() {
    let host = Guarded::start().await;
    host.word().await;
    let worker = host.key("worker", Role::Worker, None).await;
    let of_all = host.key("of-all", Role::Viewer, None).await;
    let of_a = host.key("of-a", Role::Viewer, Some("a")).await;
    let creator = host.key("creator", Role::Submitter, None).await;
    let mut ids = Vec::new();
    for namespace in ["a", "b"] {
        let more = json!({"namespace": namespace});
        ids.push(host.held(&creator, &worker, more).await.0);
        let register = json!({
            "worker_id": "w", "worker_instance_id": format!("w-{namespace}"), "namespace": namespace,
        });
        let (status, body) = host.post(&worker, "/v1/workers", register).await;
        assert_eq!(status, 201, "{body}");
    }
    let register = json!({"worker_id": "w", "worker_instance_id": "w-all"});
    let (status, body) = host.post(&worker, "/v1/workers", register).await;
    assert_eq!(status, 201, "{body}");
    host.database.events_are_readable().await;
    let seen = async |key, query: &str, member: &str| {
        let path = format!("/v1/events/{query}after=beginning&limit=1000");
        let (status, page) = host.get(key, &path).await;
        assert_eq!(status, 200, "{page}");
        (
            members(page["events"].as_array().expect("a list"), member),
            page,
        )
    };
    let (own, page) = seen(&of_a, "lifecycle?", "execution_id").await;
    assert_eq!(own, [ids[0].as_str(); 2]);
    let (every, whole) = seen(&of_all, "lifecycle?", "execution_id").await;
    assert_eq!(every.len(), 4);
    let (workers, _) = seen(&of_a, "registry?", "worker_instance_id").await;
    assert_eq!(workers, ["w-a"]);
    let (workers, _) = seen(&of_all, "registry?", "worker_instance_id").await;
    assert!(
        ["w-a", "w-b", "w-all"]
            .iter()
            .all(|it| workers.contains(&(*it).to_owned()))
    );
    let (workers, _) = seen(&of_all, "registry?namespace=b&", "worker_instance_id").await;
    assert_eq!(workers, ["w-b"]);
    let (status, refused) = host.get(&of_a, "/v1/events/lifecycle?namespace=b").await;
    assert_eq!(
        (status.as_u16(), &refused["code"]),
        (403, &json!("role_missing"))
    );
    // A cursor of such a caller says nothing of what others do, and leads on all the same.
    let after = |page: &Value| format!("/v1/events/lifecycle?after={}", text(&page["cursor"]));
    let (status, next) = host.get(&of_a, &after(&page)).await;
    assert_eq!((status.as_u16(), &next["events"]), (200, &json!([])));
    assert_ne!(next["cursor"], page["cursor"], "it is sealed again");
    for (key, foreign) in [(&of_a, &whole), (&of_all, &page)] {
        let (status, refused) = host.get(key, &after(foreign)).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (400, &json!("invalid_cursor"))
        );
    }
}
