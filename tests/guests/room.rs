//! What finds no room on a host waits, with its lease and without counting attempts;
//! what never fits is refused by name; and memory is bounded over all sandboxes.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{HostBuilder, Parts, database, eventually, guest, with_parts};

use crate::support::api::{Api, builder};
use crate::support::memory::resident_peak_bytes;

/// Sleeps as told, in a component of some 54 core instances and seven memories.
fn sprawling() -> Vec<u8> {
    with_parts(
        &guest("slow"),
        Parts {
            core_instances: 40,
            memories: 6,
            pages: 0,
            tables: 4,
        },
    )
}

async fn create_all(api: &Api, kind: &str, input: &str, number: usize) -> Vec<String> {
    let executions: Vec<Value> = (0..number)
        .map(|_| json!({"kind": kind, "input_text": input}))
        .collect();
    let (status, body) = api
        .post("/v1/executions/batch", json!({"executions": executions}))
        .await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let results = body["results"].as_array().expect("a list");
    results
        .iter()
        .map(|it| it["execution"]["id"].as_str().expect("created").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn executions_that_wait_for_memory_count_no_attempt() {
    let database = database().await;
    let api = Api::start(
        builder(&database).environment("FLOWHOST_RUNTIME_SANDBOXES_MAX", "40"),
        &["echo"],
    )
    .await;
    let (status, body) = api.publish(sprawling(), "sprawling").await;
    assert!(status.is_success(), "{body}");
    // Many more than there is room for, on slots for all of them.
    let ids = create_all(&api, "sprawling", "1000", 100).await;
    let waited = eventually("some wait for room", async || {
        let waiting = api.metric("flowhost_sandboxes_waiting").await;
        (waiting > 0.0).then_some(waiting)
    })
    .await;
    let ended: Vec<Value> = futures::stream::iter(&ids)
        .map(|id| api.wait(id))
        .buffer_unordered(100)
        .collect()
        .await;
    for info in &ended {
        assert_eq!(
            (&info["public_state"], &info["attempts"]),
            (&json!("completed"), &json!(1)),
            "{info}"
        );
    }
    assert!(waited <= 100.0);
    assert_eq!(api.metric("flowhost_attempts_started_total").await, 100.0);
    assert_eq!(api.metric("flowhost_sandboxes_waiting").await, 0.0);
    let lines = api.host.log().lines().count();
    assert!(lines < 100, "{lines} lines\n{}", api.host.log());
    // Claims continue.
    let info = api
        .run(json!({"kind": "echo", "input_text": "after"}))
        .await;
    assert_eq!(info["public_state"], "completed", "{info}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sandbox_that_waits_for_memory_keeps_its_lease_and_can_be_cancelled() {
    let database = database().await;
    let api = Api::start(
        builder(&database)
            .environment("FLOWHOST_RUNTIME_SANDBOXES_MAX", "1")
            .argument("--lease-ttl")
            .argument("1s"),
        &["slow"],
    )
    .await;
    let first = api
        .create(json!({"kind": "slow", "input_text": "4000"}))
        .await;
    api.until(&first, "active").await;
    let second = api.create(json!({"kind": "slow", "input_text": "0"})).await;
    api.until(&second, "active").await;
    let third = api.create(json!({"kind": "slow", "input_text": "0"})).await;
    let (status, body) = api
        .post(
            &format!("/v1/executions/{second}/cancel"),
            json!({"reason": "no more"}),
        )
        .await;
    assert!(status.is_success(), "{body}");
    assert_eq!(api.wait(&second).await["public_state"], "cancelled");
    for id in [&first, &third] {
        let info = api.wait(id).await;
        // The first lasts four times the TTL: the keeper renewed both.
        assert_eq!(
            (&info["public_state"], &info["attempts"]),
            (&json!("completed"), &json!(1)),
            "{info}"
        );
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_component_of_34_core_instances_works_and_one_of_too_many_is_refused_by_name() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let with = |parts| with_parts(&guest("echo"), parts);
    let ample = with(Parts {
        core_instances: 30,
        ..Parts::default()
    });
    let (status, body) = api.publish(ample, "ample").await;
    assert!(status.is_success(), "{body}");
    let ids = create_all(&api, "ample", "hello", 100).await;
    for id in &ids {
        assert_eq!(api.wait(id).await["public_state"], "completed");
    }
    let cases = [
        (
            Parts {
                core_instances: 64,
                ..Parts::default()
            },
            "sandbox.instances_max",
        ),
        (
            Parts {
                memories: 8,
                ..Parts::default()
            },
            "sandbox.memories_max",
        ),
        (
            Parts {
                tables: 32,
                ..Parts::default()
            },
            "sandbox.tables_max",
        ),
        (
            Parts {
                memories: 2,
                pages: 700,
                ..Parts::default()
            },
            "sandbox.memory_bytes_max",
        ),
    ];
    for (parts, setting) in cases {
        let (status, body) = api.publish(with(parts), "too-much").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(body["code"], "component_exceeds_limits", "{body}");
        let detail = body["detail"].as_str().expect("a detail");
        assert!(detail.contains(setting), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_slots_still_use_the_pooling_allocator() {
    let database = database().await;
    // As many sandboxes as the slots ask for, and a machine can hold.
    let many = |builder: HostBuilder| {
        builder
            .argument("--slots")
            .argument("10000")
            .environment("FLOWHOST_RUNTIME_SANDBOXES_MAX", "0")
            .environment("FLOWHOST_RUNTIME_POOLING", "required")
    };
    let api = Api::start(many(builder(&database)), &["echo"]).await;
    let log = api.host.log();
    let line = log
        .lines()
        .find(|line| line.contains("room for sandboxes"))
        .expect("the host says how much room there is");
    assert!(line.contains("pooled") && line.contains("true"), "{line}");
    let most = api.metric("flowhost_sandboxes_max").await;
    assert!((100.0..11_300.0).contains(&most), "{most}");
    let ids = create_all(&api, "echo", "hello", 200).await;
    for id in &ids {
        let info = api.wait(id).await;
        assert_eq!(
            (&info["public_state"], &info["attempts"]),
            (&json!("completed"), &json!(1)),
            "{info}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_of_all_sandboxes_is_bounded_and_large_ones_leave_room_for_small_ones() {
    const BUDGET: u64 = 160 << 20;
    let database = database().await;
    let api = Api::start(
        builder(&database).environment("FLOWHOST_RUNTIME_MEMORY_BYTES_MAX", BUDGET.to_string()),
        &["memory-hog", "echo"],
    )
    .await;
    assert_eq!(
        api.metric("flowhost_sandbox_memory_bytes_max").await,
        BUDGET as f64
    );
    let hogs: Vec<Value> = (0..40)
        .map(|_| {
            json!({"kind": "memory-hog", "input_text": "",
                "policy": {"retry_policy": {"max_retries": 0}}})
        })
        .collect();
    let (status, body) = api
        .post("/v1/executions/batch", json!({"executions": hogs}))
        .await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let results = body["results"].as_array().expect("a list").clone();
    let until = Instant::now() + Duration::from_secs(60);
    let (mut peak, mut echoes) = (0.0_f64, 0);
    let mut left = results.len();
    while left > 0 {
        assert!(
            Instant::now() < until,
            "{left} hogs are left\n{}",
            api.host.log()
        );
        let info = api
            .run(json!({"kind": "echo", "input_text": "small"}))
            .await;
        assert_eq!(info["public_state"], "completed", "{info}");
        echoes += 1;
        peak = peak.max(api.metric("flowhost_sandbox_memory_bytes").await);
        let (_, lanes) = api.get("/v1/lanes").await;
        let lanes = lanes["lanes"].as_array().expect("a list");
        left = lanes
            .iter()
            .map(|lane| {
                let count = |state: &str| lane[state].as_u64().unwrap_or(0);
                usize::try_from(count("waiting") + count("active")).expect("few")
            })
            .sum();
    }
    assert!(peak > 0.0 && peak <= BUDGET as f64, "{peak}");
    assert!(echoes > 0);
    for verdict in &results {
        let id = verdict["execution"]["id"].as_str().expect("created");
        let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
        let code = info["failure"]["code"].as_str().expect("failed");
        assert!(
            matches!(code, "memory_limit" | "host_memory_full"),
            "{info}"
        );
    }
    // Beside the budget: the pool's rest and the process itself.
    let resident = resident_peak_bytes(api.host.pid());
    let kept = api.metric("flowhost_sandbox_pool_kept_bytes_max").await as u64;
    assert!(resident < BUDGET + kept + (200 << 20), "{resident}");
}
