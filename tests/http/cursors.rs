//! Every list of the API in pages: each row once, a cursor only if there is more, and
//! every cursor but its own refused by name.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Database, database};

use crate::support::api::{Api, builder, with};
use crate::support::http_waiting::{ask, held, named, suspend, waiting};
use crate::support::http_work::{claim_one, register, start, word};
use crate::support::server::rows::run;

/// The path of each list, the member that has its rows, and the member that tells one row
/// from another; without one, the whole row does.
const LISTS: &[(&str, &str, &str)] = &[
    ("/v1/audit", "entries", "id"),
    ("/v1/audit/refusals", "refusals", ""),
    ("/v1/components", "components", "digest"),
    ("/v1/executions", "executions", "id"),
    ("/v1/executions/{id}/attempts", "attempts", ""),
    ("/v1/executions/{id}/history", "history", ""),
    ("/v1/executions/{id}/operations", "operations", ""),
    ("/v1/executions/{id}/signals", "signals", "signal_id"),
    (
        "/v1/executions/{id}/suspensions",
        "suspensions",
        "suspension_id",
    ),
    (
        "/v1/executions/{id}/waitpoints",
        "waitpoints",
        "waitpoint_id",
    ),
    ("/v1/flows", "flows", "flow_id"),
    ("/v1/flows/{id}/edges", "edges", "edge_id"),
    ("/v1/flows/{id}/members", "members", "name"),
    ("/v1/kinds", "kinds", "name"),
    ("/v1/lanes", "lanes", "name"),
    ("/v1/lanes/{lane}/eligible", "executions", "id"),
    ("/v1/leases/expired", "leases", "execution_id"),
    ("/v1/namespaces", "namespaces", "name"),
    ("/v1/suspended", "executions", "execution_id"),
    ("/v1/tokens", "keys", "id"),
    ("/v1/waitpoint-keys", "keys", "kid"),
    ("/v1/waitpoints", "waitpoints", "waitpoint_id"),
    ("/v1/webhooks", "webhooks", "id"),
    ("/v1/workers", "workers", "worker_instance_id"),
];

/// A list with its place filled in.
struct List {
    path: String,
    rows: &'static str,
    key: &'static str,
}

fn lists(Filled { id, flow, .. }: &Filled) -> Vec<List> {
    let list = |&(path, rows, key): &(&str, &'static str, &'static str)| List {
        path: match path.strip_prefix("/v1/flows/{id}") {
            Some(below) => format!("/v1/flows/{flow}{below}"),
            None => path.replace("{id}", id).replace("{lane}", "night"),
        },
        rows,
        key,
    };
    LISTS.iter().map(list).collect()
}

impl List {
    /// Tells the rows of a page from one another. Those of attempts are their leases.
    fn keys(&self, page: &Value) -> Vec<String> {
        let rows = page[self.rows].as_array().expect("a list").iter();
        if self.rows == "attempts" {
            let leases = rows.flat_map(|row| row["leases"].as_array().expect("leases"));
            return leases.map(|lease| lease["epoch"].to_string()).collect();
        }
        let key = |row: &Value| match self.key {
            "" => row.to_string(),
            key => row[key].to_string(),
        };
        rows.map(key).collect()
    }

    /// Reads the list to its end, `limit` rows at a time; returns the keys page by page.
    async fn pages(&self, api: &Api, limit: usize) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("{}?limit={limit}{after}", self.path);
            let (status, page) = api.get(&path).await;
            assert!(status.is_success(), "{path}: {page}");
            pages.push(self.keys(&page));
            assert!(pages.len() < 100, "{path} comes to no end");
            match &page["next_cursor"] {
                Value::String(cursor) => after = format!("&after={cursor}"),
                none => {
                    assert_eq!(*none, Value::Null, "{path}");
                    return pages;
                }
            }
        }
    }
}

/// What the lists are of.
struct Filled {
    /// An execution that has some rows of each list that belongs to one.
    id: String,
    /// Another that has some as well.
    other: String,
    /// A flow with members and edges.
    flow: String,
    /// Another flow that has as many.
    other_flow: String,
}

/// Creates a flow of four members, three of which wait for the first.
async fn flow(api: &Api) -> String {
    let names = ["a", "b", "c", "d"];
    // Of a kind that no worker of these tests claims.
    let member = |name: &&str| json!({"name": name, "kind": "echo", "delay_ms": 3_600_000});
    let edge = |name: &&str| json!({"upstream": "a", "downstream": name});
    let body = json!({
        "kind": "list",
        "members": names.iter().map(member).collect::<Vec<_>>(),
        "edges": names[1..].iter().map(edge).collect::<Vec<_>>(),
    });
    let (status, answer) = api.post("/v1/flows", body).await;
    assert!(status.is_success(), "{answer}");
    answer["flow_id"].as_str().expect("an id").to_owned()
}

/// Puts three rows and more in every list.
async fn fill(database: &Database, api: &Api) -> Filled {
    flow(api).await;
    let (first_flow, other_flow) = (flow(api).await, flow(api).await);
    let (other, _) = waiting(api, named("a", "never")).await;
    waiting(api, named("a", "never")).await;
    waiting(api, named("a", "never")).await;
    let mut id = String::new();
    for round in 0..3 {
        let lease = if round == 0 {
            let (created, lease) = held(api, json!({})).await;
            id = created;
            lease
        } else {
            claim_one(api, "w-1").await["lease"]
                .as_str()
                .expect("text")
                .to_owned()
        };
        let key = format!("k{round}");
        suspend(api, &lease, named(&key, "x"), json!({})).await;
        let signal = json!({"signal_name": "x", "payload": round});
        ask(api, &id, "operator-signal", signal).await;
    }
    let lease = claim_one(api, "w-1").await["lease"].clone();
    for key in ["p", "q", "r"] {
        let create = json!({"lease": lease, "waitpoint_key": key});
        api.post("/v1/leases/waitpoints", create).await;
    }
    for name in ["w-2", "w-3"] {
        register(api, "w", name).await;
    }
    let set = async |path: &str, body: Value| {
        let (status, answer) = api.ask(Method::PUT, path, Some(body)).await;
        assert!(status.is_success(), "{path}: {answer}");
    };
    for name in ["noon", "night"] {
        set(&format!("/v1/lanes/{name}"), json!({"state": "active"})).await;
    }
    for name in ["acme", "bolt", "cork"] {
        set(&format!("/v1/namespaces/{name}"), json!({"weight": 7})).await;
        set(&format!("/v1/kinds/{name}"), json!({})).await;
    }
    for kid in ["k1", "k2", "k3"] {
        let rotate = json!({"new_kid": kid, "grace_ms": 60_000});
        let (status, answer) = api.post("/v1/waitpoint-keys/rotate", rotate).await;
        assert!(status.is_success(), "{answer}");
        let token = json!({"name": kid, "role": "viewer"});
        let (status, answer) = api.post("/v1/tokens", token).await;
        assert!(status.is_success(), "{answer}");
        let webhook = json!({"name": kid, "url": "https://example.invalid/", "family": "registry"});
        let (status, answer) = api.post("/v1/webhooks", webhook).await;
        assert!(status.is_success(), "{answer}");
        let audit = "INSERT INTO audit (id, verb) VALUES (gen_random_uuid(), 'kinds_define')";
        run(database, audit.to_owned()).await;
        let refusals = format!(
            "INSERT INTO audit_refusals VALUES (date_trunc('minute', now()), '{kid}', 'x', 1)"
        );
        run(database, refusals).await;
    }
    for _ in 0..3 {
        api.create(with(word("x"), json!({"lane": "night"}))).await;
    }
    for row in 1..=3 {
        let component = format!(
            "INSERT INTO component (digest, bytes, world, imports)
             VALUES (sha256('{row}'), '', 'handler', '{{}}')"
        );
        run(database, component).await;
        // Of no execution, so that no sweep ends them.
        let lease = format!(
            "INSERT INTO lease (partition, execution_id, lease_id, epoch, namespace, lane, rank,
                 worker_instance_id, attempt, attempt_type, retries, reclaims, replays, expires_at)
             VALUES (0, '01990000-0000-7000-8000-00000000000{row}', gen_random_uuid(), 1,
                 'default', 'default', 0, 'w-9', 0, 'initial', 0, 0, 0, '2020-01-0{row}')"
        );
        run(database, lease).await;
    }
    Filled {
        id,
        other,
        flow: first_flow,
        other_flow,
    }
}

/// Resolves a reference to a schema.
fn schema<'a>(document: &'a Value, place: &'a Value) -> &'a Value {
    match place["$ref"].as_str() {
        Some(name) => document
            .pointer(name.trim_start_matches('#'))
            .expect("a schema"),
        None => place,
    }
}

// An unpaged list shows everything there is, or no more than its first rows.
#[tokio::test(flavor = "multi_thread")]
async fn every_list_of_the_api_has_pages() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let (_, document) = api.get("/openapi.json").await;
    let known: BTreeSet<&str> = LISTS.iter().map(|(path, ..)| *path).collect();
    let mut found = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        // Events and streams that are followed have no last page; children are no more than a
        // flow has members.
        if path.starts_with("/v1/events/") || path.ends_with("/tail") || path.ends_with("/children")
        {
            continue;
        }
        let body = &methods["get"]["responses"]["200"]["content"]["application/json"];
        let body = schema(&document, &body["schema"]);
        let empty = serde_json::Map::new();
        let members = body["properties"].as_object().unwrap_or(&empty);
        let is_rows = |(name, member): (&String, &Value)| {
            // A key has ten texts at most.
            !["unreadable", "texts"].contains(&name.as_str()) && member["items"]["$ref"].is_string()
        };
        if !members.iter().any(is_rows) {
            continue;
        }
        found.insert(path.as_str());
        assert!(members.contains_key("next_cursor"), "{path} has no cursor");
        let parameters = methods["get"]["parameters"].as_array();
        let parameters = parameters.expect("parameters").iter();
        let names: Vec<_> = parameters.map(|it| it["name"].clone()).collect();
        // A page of frames is a range, whose first frame is named.
        let place = if path.ends_with("/stream") {
            "from"
        } else {
            "after"
        };
        for name in ["limit", place] {
            assert!(names.contains(&json!(name)), "{path} takes no {name}");
        }
    }
    // Its pages have tests of their own.
    found.remove("/v1/executions/{id}/attempts/{attempt}/stream");
    assert_eq!(found, known, "a list that the table of this test lacks");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_ends_and_has_each_row_once() {
    let (database, api) = start().await;
    let filled = fill(&database, &api).await;
    for list in lists(&filled) {
        let path = &list.path;
        let whole = list.pages(&api, 1000).await.concat();
        let rows = whole.len();
        assert!(rows >= 3, "{path} has {rows} rows");
        let different: BTreeSet<_> = whole.iter().collect();
        assert_eq!(different.len(), rows, "{path}: {whole:?}");
        // One row after the other, in parts, and all rows on a page that is full.
        for limit in [1, 2, rows - 1, rows] {
            let pages = list.pages(&api, limit).await;
            assert_eq!(pages.concat(), whole, "{path}, {limit} at a time");
            let full = rows.div_ceil(limit);
            assert_eq!(pages.len(), full, "{path}, {limit} at a time: {pages:?}");
        }
        for limit in ["0", "1001"] {
            let (status, problem) = api.get(&format!("{path}?limit={limit}")).await;
            let refused = (status.as_u16(), &problem["code"], &problem["field"]);
            assert_eq!(
                refused,
                (422, &json!("invalid_input"), &json!("limit")),
                "{path}"
            );
        }
    }
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

/// Cursors that no list gave, and those of this list that were changed.
fn forged(own: &str, id: &str) -> Vec<String> {
    let mut forged: Vec<String> = ["", " ", "x", "0", "default", "w-1", "e1.2.3.4", "é", "l1"]
        .map(str::to_owned)
        .to_vec();
    forged.extend([
        id.to_owned(),
        "f".repeat(1000),
        "l1".to_owned() + &"0".repeat(64),
        format!("1700000000000000.{id}"),
        "9".repeat(6000),
        own.to_uppercase(),
        own[..own.len() - 1].to_owned(),
        own[..own.len() - 2].to_owned(),
        format!("{own}00"),
    ]);
    forged.extend((0..own.len()).step_by(7).map(|at| {
        let mut bytes = own.to_owned().into_bytes();
        bytes[at] ^= 1;
        String::from_utf8(bytes).expect("ASCII")
    }));
    forged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_accepts_its_own_cursors_and_rejects_every_other_by_name() {
    let (database, api) = start().await;
    let filled = fill(&database, &api).await;
    let lists = lists(&filled);
    let mut own = BTreeMap::new();
    for List { path, .. } in &lists {
        let (_, page) = api.get(&format!("{path}?limit=1")).await;
        let cursor = page["next_cursor"].as_str().expect("more").to_owned();
        own.insert(path.as_str(), cursor);
    }
    let refused = (400, "invalid_cursor".to_owned(), json!("after"));
    let mut wrong = Vec::new();
    for (list, cursor) in &own {
        let seen = pass(&api, list, cursor).await;
        if seen.0 != 200 {
            wrong.push(format!("{list}: its own cursor: {seen:?}"));
        }
        let mut bad = forged(cursor, &filled.id);
        let of_others = own.iter().filter(|(other, _)| *other != list);
        bad.extend(of_others.map(|(_, cursor)| cursor.clone()));
        for cursor in bad {
            let seen = pass(&api, list, &cursor).await;
            if seen != refused {
                wrong.push(format!("{list} {cursor:.60}: {seen:?}"));
            }
        }
        // The same place in another list is another place.
        let mut foreign = Vec::new();
        for (id, other) in [
            (&filled.id, &filled.other),
            (&filled.flow, &filled.other_flow),
        ] {
            if list.contains(id) {
                foreign.push(list.replace(id, other));
            }
        }
        let filtered = format!("{list}?namespace=default");
        if api.get(&filtered).await.0.is_success() {
            foreign.push(filtered);
        }
        for list in foreign {
            let seen = pass(&api, &list, cursor).await;
            if seen != refused {
                wrong.push(format!("{list}: a cursor of another list: {seen:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_of_one_instance_generation_and_number_of_partitions() {
    let (database, api) = start().await;
    let filled = fill(&database, &api).await;
    let first = async |api: &Api, path: &str| {
        let (_, page) = api.get(&format!("{path}?limit=1")).await;
        page["next_cursor"].as_str().expect("more").to_owned()
    };
    let mut own = BTreeMap::new();
    for List { path, .. } in lists(&filled) {
        let cursor = first(&api, &path).await;
        own.insert(path, cursor);
    }
    for change in [
        "generation = generation + 1",
        "partitions = 16",
        "id = gen_random_uuid()",
    ] {
        run(&database, format!("UPDATE instance SET {change}")).await;
        let changed = Api::start(builder(&database), &[]).await;
        for (path, cursor) in &own {
            let seen = pass(&changed, path, cursor).await;
            let seen = (seen.0, seen.1.as_str());
            assert_eq!(seen, (400, "invalid_cursor"), "{path}, {change}");
            let fresh = first(&changed, path).await;
            let seen = pass(&changed, path, &fresh).await;
            assert_eq!(seen.0, 200, "{path}, {change}");
        }
    }
}
