//! Guests that break the rules of the component model: a trap of theirs, or the
//! name of the bound they ran into.

use serde_json::Value;
use testkit::database;

use crate::support::api::{Api, builder, once};

fn end(info: &Value) -> String {
    let failure = &info["failure"];
    format!("{} {}", failure["class"], failure["code"]).replace('"', "")
}

#[tokio::test(flavor = "multi_thread")]
async fn breaking_the_component_model_is_a_trap_and_a_bound_has_its_own_code() {
    let database = database().await;
    let api = Api::start(builder(&database), &["clumsy", "giant-result", "echo"]).await;
    let trap = "transient guest_trap";
    let mut wrong = Vec::new();
    for (order, recorded, said) in [
        ("dropped", trap, "unknown handle index"),
        ("forged", trap, "unknown handle index"),
        ("dropped-twice", trap, "unknown handle index"),
        ("other-type", trap, "type"),
        ("text-pointer", trap, "out of bounds"),
        ("list-pointer", trap, "out of bounds"),
        ("unaligned", trap, "not aligned"),
        ("answer-pointer", trap, "out of bounds"),
        ("utf8", trap, "utf-8"),
        ("discriminant", trap, "discriminant"),
        ("empty-poll", trap, "empty poll list"),
        ("zeroes", trap, "check_write"),
        ("result-utf8", trap, "utf-8"),
        ("result-pointer", trap, "out of bounds"),
        ("random 65536", "null null", ""),
        (
            "random 65537",
            "permanent random_limit",
            "sandbox.random_bytes_max",
        ),
        ("bytes 1000000", "null null", ""),
        (
            "bytes 5000000",
            "permanent host_call_limit",
            "sandbox.host_call_bytes_max",
        ),
        ("lends", "permanent handle_limit", "sandbox.handles_max"),
        ("socket", "null null", ""),
    ] {
        let info = api.run(once("clumsy", order)).await;
        let message = info["failure"]["message"].as_str().unwrap_or_default();
        if end(&info) != recorded || !message.to_lowercase().contains(said) {
            wrong.push(format!("{order}: {}", info["failure"]));
        }
    }
    for (bytes, said) in [
        ("2097152", "limits.result_bytes_max"),
        ("5000000", "sandbox.host_call_bytes_max"),
    ] {
        let info = api.run(once("giant-result", bytes)).await;
        let message = info["failure"]["message"].as_str().unwrap_or_default();
        if end(&info) != "permanent result_too_large" || !message.contains(said) {
            wrong.push(format!("{bytes}: {}", info["failure"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let echo = api.run(once("echo", "still here")).await;
    assert_eq!(echo["public_state"], "completed", "{echo}");
    database.assert_invariants().await;
}
