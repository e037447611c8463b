//! Hosts killed without warning under load. The load is real work on real
//! components through the API; what was acknowledged must end once.
//!
//! `FLOWHOST_CHAOS_SECONDS` says how long; a few seconds without it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Answered, database, eventually};

use crate::support::api::{Api, builder};

/// Time between two kills.
const EVERY: Duration = Duration::from_secs(2);

fn seconds() -> u64 {
    std::env::var("FLOWHOST_CHAOS_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(8)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn chaos_no_acknowledged_execution_is_lost_and_none_ends_twice() {
    let database = database().await;
    let host = || builder(&database).argument("--lease-ttl").argument("2s");
    // One host stays and takes the requests, but runs nothing.
    let front = Api::start(
        builder(&database).argument("--slots").argument("0"),
        &["echo", "slow"],
    )
    .await;
    let mut hosts = [
        Some(Api::start(host(), &[]).await),
        Some(Api::start(host(), &[]).await),
    ];
    let until = Instant::now() + Duration::from_secs(seconds());
    let mut acknowledged: HashMap<String, String> = HashMap::new();
    let mut round = 0_usize;
    let (mut kills, mut next_kill) = (0_usize, Instant::now() + EVERY);
    while Instant::now() < until {
        let batch: Vec<Value> = (0..50)
            .map(|n| match n % 5 {
                0 => json!({"kind": "slow", "input_text": "200"}),
                _ => json!({"kind": "echo", "input_text": format!("{}-{n}", acknowledged.len())}),
            })
            .collect();
        // In turn through the host that stays, into the queue, and through the next
        // victim, which takes what it has slots for without a claim.
        let next = hosts[kills % hosts.len()].as_ref().expect("it runs");
        let through = if round.is_multiple_of(2) {
            &front
        } else {
            next
        };
        round += 1;
        let (_, body) = through
            .ask(
                Method::POST,
                "/v1/executions/batch",
                Some(json!({"executions": batch})),
            )
            .await;
        for (item, verdict) in batch
            .iter()
            .zip(body["results"].as_array().expect("a list"))
        {
            let id = verdict["execution"]["id"].as_str().expect("created");
            let input = item["input_text"].as_str().expect("text");
            acknowledged.insert(id.to_owned(), input.to_owned());
        }
        if Instant::now() >= next_kill {
            next_kill += EVERY;
            let victim = kills % hosts.len();
            kills += 1;
            if let Some(mut api) = hosts[victim].take() {
                api.host.kill();
            }
            hosts[victim] = Some(Api::start(host(), &[]).await);
        }
        // Each is looked at in the end, by itself.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    eventually("every execution has ended", async || {
        let (_, lanes) = front.get("/v1/lanes").await;
        let (_, delayed) = front.get("/v1/executions?state=delayed&limit=1").await;
        let idle = lanes["lanes"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|lane| lane["waiting"] == 0 && lane["active"] == 0);
        (idle && delayed["executions"] == json!([])).then_some(())
    })
    .await;
    futures::stream::iter(&acknowledged)
        .for_each_concurrent(16, async |(id, input)| {
            let (_, info) = front.get(&format!("/v1/executions/{id}")).await;
            assert_eq!(info["public_state"], "completed", "{info}");
            let (_, result) = front.result(id).await;
            assert_eq!(result, input.as_bytes(), "{id}");
        })
        .await;
    // Among them: one end each, attempts without gaps, a newer epoch per grant.
    database.assert_invariants().await;
    println!(
        "{kills} kills, {} executions, none lost, none ended twice",
        acknowledged.len()
    );
    assert!(
        kills >= 2 && acknowledged.len() > 100,
        "{kills} kills, {}",
        acknowledged.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_frozen_beyond_its_lease_is_refused_when_it_wakes() {
    let database = database().await;
    let host = || builder(&database).argument("--lease-ttl").argument("1s");
    let zombie = Api::start(host(), &["slow"]).await;
    let id = zombie
        .create(json!({"kind": "slow", "input_text": "1500"}))
        .await;
    zombie.until(&id, "active").await;
    zombie.host.signal("STOP");
    let heir = Api::start(host(), &[]).await;
    let taken = eventually("another host takes over", async || {
        let (_, info) = heir.get(&format!("/v1/executions/{id}")).await;
        (info["attempts"] == 2).then_some(info)
    })
    .await;
    zombie.host.signal("CONT");
    let info = heir.wait(&id).await;
    assert_eq!(
        (&info["public_state"], &info["attempts"]),
        (&json!("completed"), &json!(2)),
        "{taken}"
    );
    let attempts = heir.attempts(&id).await;
    assert_eq!(attempts[0]["leases"][0]["ended"], "lease_expired");
    assert_eq!(attempts[1]["leases"][0]["ended"], "success");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_that_is_told_to_stop_finishes_its_work_first() {
    let database = database().await;
    let mut api = Api::start(builder(&database), &["slow"]).await;
    let id = api
        .create(json!({"kind": "slow", "input_text": "1000"}))
        .await;
    api.until(&id, "active").await;
    api.host.signal("TERM");
    let code = tokio::task::block_in_place(|| api.host.exit_code());
    assert_eq!(code, Some(0), "{}", api.host.log());
    let engine = database.engine().await;
    let info = engine
        .get(id.parse().expect("an id"), None)
        .await
        .answered()
        .expect("known");
    assert_eq!(
        (info.public_state, info.attempts),
        (model::PublicState::Completed, 1)
    );
    database.assert_invariants().await;
}
