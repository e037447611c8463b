//! Hostile guests beside an honest load, on a machine of one GiB: the host stays up, its
//! memory stays within its budget, and others hardly notice.
//!
//! ```text
//! quiet:   echo, one after the other ─▶ p99
//! hostile: the same, beside hogs, sleepers, floods and hoards ─▶ p99, memory
//! ```
//!
//! `FLOWHOST_HOSTILE_SECONDS` says how long the second part lasts, and has the times
//! of the two parts compared as well; a few seconds without it, and times are printed
//! only, since other tests run beside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{Database, MemoryGroup, Parts, database, eventually, guest, with_parts};

use crate::support::api::{Api, builder};
use crate::support::memory::resident_peak_bytes;

/// What the host has of memory.
const MACHINE_BYTES: u64 = 1 << 30;
/// What a host needs for itself beside its sandboxes: code, heap, connections.
const HOST_BYTES: u64 = 200 << 20;
/// How much slower the slowest of a hundred may be than on a quiet host.
const SLOWER_MAX: f64 = 3.0;
/// A guest that computes keeps its thread for so many milliseconds; below that a host
/// is not quieter than another.
const TICK_MS: f64 = 10.0;
/// Hostile executions that are unfinished at once.
const UNFINISHED_MAX: i64 = 60;

/// The component of many instances and memories.
const SPRAWLING: &str = "sprawling";
/// Kinds, each with an input.
const HOSTILE: [(&str, &str); 9] = [
    // A thousand requests of 1 MB, and as many handles as there are.
    ("handle-hoard", "requests 1000000"),
    ("handle-hoard", "fields"),
    // Takes all memory it is given, and writes to it.
    ("memory-hog", ""),
    ("log-flood", "5000"),
    // Sleeps on after its end is recorded.
    (
        "puppet",
        r#"{"acts": [{"complete": [["text/plain", 1], ["done", 1]]}, {"sleep": 60000}], "end": "recorded"}"#,
    ),
    ("deep-recursion", ""),
    ("giant-result", "4000000"),
    ("slow", "3000"),
    (SPRAWLING, "3000"),
];

fn seconds() -> Option<u64> {
    std::env::var("FLOWHOST_HOSTILE_SECONDS").ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_guests_harm_neither_the_host_nor_other_executions() {
    let database = database().await;
    let group = MemoryGroup::new(MACHINE_BYTES);
    let host = builder(&database)
        .environment("FLOWHOST_RUNTIME_SANDBOXES_MAX", "0")
        .environment("FLOWHOST_SANDBOX_ATTEMPT_MS_MAX", "20000");
    let host = match &group {
        Ok(group) => host.memory_group(group),
        Err(why) => {
            println!(
                "no memory control group here ({why}): the budget is set, and what is resident is looked at"
            );
            host.environment(
                "FLOWHOST_RUNTIME_MEMORY_BYTES_MAX",
                (MACHINE_BYTES / 2).to_string(),
            )
        }
    };
    let api = Api::start(host, &["echo"]).await;
    let kinds: BTreeSet<&str> = HOSTILE.iter().map(|(kind, _)| *kind).collect();
    for kind in kinds.into_iter().filter(|kind| *kind != SPRAWLING) {
        let (status, body) = api.publish(guest(kind), kind).await;
        assert!(status.is_success(), "{kind}: {body}");
    }
    let parts = Parts {
        core_instances: 40,
        memories: 6,
        pages: 16,
        tables: 4,
    };
    let (status, body) = api
        .publish(with_parts(&guest("slow"), parts), SPRAWLING)
        .await;
    assert!(status.is_success(), "{body}");

    let budget = api.metric("flowhost_sandbox_memory_bytes_max").await;
    assert_eq!(
        budget,
        (MACHINE_BYTES / 2) as f64,
        "half of what the process may use"
    );
    let length = Duration::from_secs(seconds().unwrap_or(5));
    let quiet = echo_for(&api, length / 2, async || ()).await;

    let mut peak = 0.0_f64;
    let mut begun = 0_u64;
    let mut mix = HOSTILE.into_iter().cycle();
    let beside = echo_for(&api, length, async || {
        peak = peak.max(api.metric("flowhost_sandbox_memory_bytes").await);
        if unfinished(&database).await > UNFINISHED_MAX {
            return;
        }
        let batch: Vec<Value> = (0..16).filter_map(|_| mix.next()).map(hostile).collect();
        begun += batch.len() as u64;
        let (status, body) = api
            .post("/v1/executions/batch", json!({"executions": batch}))
            .await;
        assert!(status.is_success(), "{body}");
    })
    .await;

    let kept = api.metric("flowhost_sandbox_pool_kept_bytes_max").await;
    let resident = resident_peak_bytes(api.host.pid());
    let bound = budget as u64 + kept as u64 + HOST_BYTES;
    println!(
        "{begun} hostile executions; echo p50 and p99 in ms: quiet {:.1} {:.1} of {}, beside them {:.1} {:.1} of {}; MiB: sandboxes {:.0} of {:.0}, resident {} of {}; stopped for want of memory: {}",
        quantile(&quiet, 50),
        quantile(&quiet, 99),
        quiet.len(),
        quantile(&beside, 50),
        quantile(&beside, 99),
        beside.len(),
        peak / (1 << 20) as f64,
        budget / (1 << 20) as f64,
        resident >> 20,
        bound >> 20,
        api.metric("flowhost_sandboxes_refused_total").await,
    );
    assert!(peak <= budget, "{peak} of {budget}");
    assert!(resident <= bound, "{resident} of {bound}");
    assert!(begun > 0 && !beside.is_empty());
    if seconds().is_some() {
        let (before, after) = (quantile(&quiet, 99), quantile(&beside, 99));
        assert!(
            after <= before.max(TICK_MS) * SLOWER_MAX,
            "{after} ms after {before} ms"
        );
    }
    let lines = api.host.log().lines().count() as u64;
    assert!(
        lines < 200 + begun * 2,
        "{lines} lines for {begun} executions"
    );
    eventually("what was hostile ends, by name", async || {
        let left = api.metric("flowhost_executions{state=\"active\"}").await;
        (left == 0.0).then_some(())
    })
    .await;
    println!("{:?}", ends(&api).await);
    database.assert_invariants().await;
}

/// Counts the executions that are ready or run now; metrics may be seconds old.
async fn unfinished(database: &Database) -> i64 {
    sqlx::query_scalar("SELECT (SELECT count(*) FROM ready) + (SELECT count(*) FROM lease)")
        .fetch_one(&mut database.connection().await)
        .await
        .expect("counted")
}

/// One hostile execution, in a namespace of its own: it shares with the honest one.
fn hostile((kind, input): (&str, &str)) -> Value {
    json!({"kind": kind, "input_text": input, "namespace": "hostile", "policy": {
        "timeout_policy": {"attempt_timeout_ms": 5000},
        "retry_policy": {"max_retries": 1, "backoff": {"type": "fixed", "delay_ms": 100}}}})
}

/// Runs one echo after the other and returns how long each took, in milliseconds; does
/// `beside` now and then.
async fn echo_for(api: &Api, length: Duration, mut beside: impl AsyncFnMut()) -> Vec<f64> {
    let until = Instant::now() + length;
    let mut next = Instant::now();
    let mut times = Vec::new();
    while Instant::now() < until {
        if Instant::now() >= next {
            beside().await;
            next = Instant::now() + Duration::from_millis(100);
        }
        let began = Instant::now();
        let info = api
            .run(json!({"kind": "echo", "input_text": "honest"}))
            .await;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        assert_eq!(
            (&info["public_state"], &info["attempts"]),
            (&json!("completed"), &json!(1)),
            "{info}"
        );
    }
    times.sort_by(f64::total_cmp);
    times
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// Returns how attempts ended, by name.
async fn ends(api: &Api) -> BTreeMap<String, u64> {
    let (_, page) = api.get("/metrics").await;
    let page = page.as_str().expect("text");
    page.lines()
        .filter_map(|line| {
            let (end, count) = line
                .strip_prefix("flowhost_attempts_ended_total{end=\"")?
                .split_once("\"} ")?;
            Some((end.to_owned(), count.parse().ok()?))
        })
        .collect()
}
