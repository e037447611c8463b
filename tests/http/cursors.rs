//! Cursors: every list takes those it gave, and names every other.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::database;

use crate::support::api::{Api, builder};
use crate::support::http_waiting::{ask, held, named, suspend, waiting};
use crate::support::http_work::{register, start};

/// The path of every list that has pages, with the execution it may be about.
async fn lists(api: &Api, id: &str) -> Vec<String> {
    let (_, document) = api.get("/openapi.json").await;
    let mut lists = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let parameters = methods["get"]["parameters"].as_array();
        if parameters.is_some_and(|all| all.iter().any(|it| it["name"] == "after")) {
            lists.push(path.replace("{id}", id));
        }
    }
    assert!(lists.len() >= 7, "{lists:?}");
    lists
}

/// Two rows and more in every list but that of lapsed leases, which is empty; returns
/// an execution with signals.
async fn fill(api: &Api) -> String {
    let (id, _) = waiting(api, named("a", "never")).await;
    for number in 0..2 {
        let signal = json!({"signal_name": "x", "payload": number});
        ask(api, &id, "operator-signal", signal).await;
    }
    let (_, lease) = held(api, json!({})).await;
    for key in ["p", "q"] {
        let create = json!({"lease": lease, "waitpoint_key": key});
        api.post("/v1/leases/waitpoints", create).await;
    }
    let (_, lease) = held(api, json!({})).await;
    suspend(api, &lease, named("a", "x"), json!({})).await;
    register(api, "w", "w-2").await;
    let night = json!({"state": "active"});
    api.ask(Method::PUT, "/v1/lanes/night", Some(night)).await;
    id
}

/// The cursor of the first page of each list, of those that have one.
async fn cursors(api: &Api, lists: &[String]) -> BTreeMap<String, String> {
    let mut cursors = BTreeMap::new();
    for list in lists {
        let (status, page) = api.get(&format!("{list}?limit=1")).await;
        assert!(status.is_success(), "{list}: {page}");
        if let Some(cursor) = page["next_cursor"].as_str() {
            cursors.insert(list.clone(), cursor.to_owned());
        }
    }
    assert!(cursors.len() >= 6, "{cursors:?}");
    cursors
}

/// Passes a cursor to a list; returns status, code and the parameter blamed.
async fn pass(api: &Api, list: &str, cursor: &str) -> (u16, String, Value) {
    let joined = if list.contains('?') { '&' } else { '?' };
    let url = format!("{}{list}{joined}limit=1", api.host.url());
    let request = api.client.get(url).query(&[("after", cursor)]);
    let response = request.send().await.expect("the host answers");
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    let code = body["code"].as_str().unwrap_or_default().to_owned();
    (status, code, body["parameter"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_accepts_its_own_cursors_and_rejects_every_other_by_name() {
    let (_database, api) = start().await;
    let id = fill(&api).await;
    let lists = lists(&api, &id).await;
    let own = cursors(&api, &lists).await;
    let refused = (400, "invalid_cursor".to_owned(), json!("after"));
    let mut wrong = Vec::new();
    for list in &lists {
        let mut bad: Vec<String> = ["", " ", "x", "0", "default", "w-1", "e1.2.3.4", "é", "l1"]
            .map(str::to_owned)
            .to_vec();
        bad.extend([
            id.clone(),
            "f".repeat(1000),
            "l1".to_owned() + &"0".repeat(64),
        ]);
        bad.push(format!("1700000000000000.{id}"));
        bad.push("9".repeat(6000));
        let of_others = own.iter().filter(|(other, _)| *other != list);
        bad.extend(of_others.map(|(_, cursor)| cursor.clone()));
        if let Some(cursor) = own.get(list) {
            let seen = pass(&api, list, cursor).await;
            if seen.0 != 200 {
                wrong.push(format!("{list}: its own cursor: {seen:?}"));
            }
            // The same place in another list is another place.
            let filter = match list.as_str() {
                "/v1/lanes" => None,
                _ => Some(format!("{list}?namespace=default")),
            };
            if let Some(filter) = filter {
                let seen = pass(&api, &filter, cursor).await;
                if seen != refused {
                    wrong.push(format!("{filter}: a cursor without a filter: {seen:?}"));
                }
            }
            bad.push(cursor.to_uppercase());
            bad.push(cursor[..cursor.len() - 1].to_owned());
            bad.push(cursor[..cursor.len() - 2].to_owned());
            bad.push(format!("{cursor}00"));
            bad.extend((0..cursor.len()).step_by(5).map(|at| {
                let mut bytes = cursor.clone().into_bytes();
                bytes[at] ^= 1;
                String::from_utf8(bytes).expect("ASCII")
            }));
        }
        for cursor in bad {
            let seen = pass(&api, list, &cursor).await;
            if seen != refused {
                wrong.push(format!("{list} {cursor:.60}: {seen:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_of_one_instance_generation_and_number_of_partitions() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    for name in ["a", "b"] {
        let path = format!("/v1/lanes/{name}");
        api.ask(Method::PUT, &path, Some(json!({"state": "active"})))
            .await;
    }
    let (_, page) = api.get("/v1/lanes?limit=1").await;
    let cursor = page["next_cursor"].as_str().expect("more");
    assert_eq!(pass(&api, "/v1/lanes", cursor).await.0, 200);
    for change in [
        "generation = generation + 1",
        "partitions = 16",
        "id = gen_random_uuid()",
    ] {
        let update = format!("UPDATE instance SET {change}");
        sqlx::query(sqlx::AssertSqlSafe(update))
            .execute(&mut database.connection().await)
            .await
            .expect("changed");
        let changed = Api::start(builder(&database), &[]).await;
        let seen = pass(&changed, "/v1/lanes", cursor).await;
        assert_eq!(
            (seen.0, seen.1.as_str()),
            (400, "invalid_cursor"),
            "{change}"
        );
        let (_, page) = changed.get("/v1/lanes?limit=1").await;
        let fresh = page["next_cursor"].as_str().expect("more");
        assert_eq!(pass(&changed, "/v1/lanes", fresh).await.0, 200, "{change}");
    }
}
