//! Guests that have the host keep things for them: what is kept is theirs, counted
//! against their memory, and the host's own memory stays where it was.

use std::fs;

use futures::future::join_all;
use serde_json::{Value, json};
use testkit::{Host, database};

use crate::support::api::{Api, builder, once};

const MIB: u64 = 1 << 20;
/// How much more a host may hold after a hoard than before: what one sandbox may
/// have, and what the allocator keeps.
const GROWTH_MAX: u64 = 64 * MIB;

/// Returns the bytes of memory a host holds, or the most it ever held.
fn memory(host: &Host, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", host.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.expect("a number").parse::<u64>().expect("a number") * 1024
}

fn end(info: &Value) -> String {
    let failure = &info["failure"];
    format!("{} {}", failure["class"], failure["code"]).replace('"', "")
}

#[tokio::test(flavor = "multi_thread")]
async fn host_side_resources_of_a_guest_count_as_its_memory() {
    let database = database().await;
    let builder = builder(&database)
        .environment("FLOWHOST_SANDBOX_MEMORY_BYTES_MAX", (8 * MIB).to_string())
        .environment("FLOWHOST_SANDBOX_HANDLES_MAX", "64");
    let api = Api::start(builder, &["handle-hoard", "echo"]).await;
    api.run(once("handle-hoard", "")).await;
    let before = memory(&api.host, "VmRSS:");
    let mut wrong = Vec::new();
    for (order, recorded) in [
        // An input of 1 MiB may be created, so it is kept, while there is room.
        ("requests 1048576", "permanent memory_limit"),
        // The largest conditions are 150 KB each.
        ("suspensions", "permanent memory_limit"),
        // These are refused by the call they are for, so none of them is kept.
        ("requests 4000000", "permanent handle_limit"),
        ("signals 1048576", "permanent handle_limit"),
        ("lanes 1000000", "permanent handle_limit"),
        ("policies 1000000", "permanent handle_limit"),
        ("capabilities 10000", "permanent handle_limit"),
        // These are small: there are no more than there may be handles.
        ("fields", "permanent handle_limit"),
        ("capabilities 256", "permanent handle_limit"),
        ("signals 60000", "permanent handle_limit"),
        ("leases", "permanent handle_limit"),
        ("streams", "permanent handle_limit"),
    ] {
        let info = api.run(once("handle-hoard", order)).await;
        if end(&info) != recorded {
            wrong.push(format!("{order}: {}", info["failure"]));
        }
        let most = memory(&api.host, "VmHWM:");
        if most > before + GROWTH_MAX {
            wrong.push(format!(
                "{order}: {} MiB above before",
                (most - before) / MIB
            ));
        }
        let id = info["id"].as_str().expect("an id");
        let usage = &api.attempts(id).await[0]["leases"][0]["usage"];
        let peak = usage["memory_peak_bytes"].as_u64().expect("usage");
        if recorded.ends_with("memory_limit") && peak < 6 * MIB {
            wrong.push(format!("{order}: its usage says {peak} bytes"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let echo = api.run(once("echo", "still here")).await;
    assert_eq!(echo["public_state"], "completed", "{echo}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_input_of_a_handler_counts_as_its_memory() {
    let database = database().await;
    // Enough for the input in the guest, not for that in the host as well.
    let limit = 5 * MIB / 2;
    let builder =
        builder(&database).environment("FLOWHOST_SANDBOX_MEMORY_BYTES_MAX", limit.to_string());
    let api = Api::start(builder, &["slow"]).await;
    let info = api.run(once("slow", "1")).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    let input = format!("1{}", " ".repeat(1_000_000));
    let info = api.run(once("slow", &input)).await;
    assert_eq!(end(&info), "permanent memory_limit", "{info}");
    database.assert_invariants().await;
}

/// The host holds an answer until the guest has taken it over.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_as_the_memory_of_the_guest_until_its_next_call() {
    let database = database().await;
    let api = Api::start(builder(&database), &["handle-hoard"]).await;
    let mut peaks = Vec::new();
    for times in ["1", "100"] {
        let input = format!("answers {times}{}", " ".repeat(1_000_000));
        let info = api.run(once("handle-hoard", &input)).await;
        assert_eq!(info["public_state"], "completed", "{info}");
        let attempts = api.attempts(info["id"].as_str().expect("an id")).await;
        let usage = &attempts[0]["leases"][0]["usage"];
        peaks.push(usage["memory_peak_bytes"].as_u64().expect("usage"));
    }
    // The guest begins with a MiB and has the input three times; the host has the
    // task and, now and then, the answer.
    assert!(peaks[0] > MIB + 4_600_000, "{peaks:?}");
    assert!(peaks[1] < peaks[0] + MIB, "{peaks:?}");
    database.assert_invariants().await;
}

/// A service that keeps its leases keeps their inputs in the host's hands.
#[tokio::test(flavor = "multi_thread")]
async fn the_leases_of_a_service_count_as_its_memory() {
    let database = database().await;
    let builder =
        builder(&database).environment("FLOWHOST_SANDBOX_MEMORY_BYTES_MAX", (6 * MIB).to_string());
    let api = Api::start(builder, &["wayward"]).await;
    let input = format!("keep{}", " ".repeat(1_000_000));
    let keep = json!({"kind": "wayward", "input_text": input, "policy": {
        "retry_policy": {"max_retries": 0}, "timeout_policy": {"attempt_timeout_ms": 20_000}}});
    let ids = join_all((0..8).map(|_| api.create(keep.clone()))).await;
    let ends = join_all(ids.iter().map(|id| api.wait(id))).await;
    let ends: Vec<String> = ends.iter().map(end).collect();
    assert!(
        ends.iter().any(|end| end == "infra_crash memory_limit"),
        "{ends:?}"
    );
    database.assert_invariants().await;
}
