//! What a handler may say of the executions it creates and reads, and of its own end: the
//! same as over HTTP, within its namespace and under its own name.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::database;

use crate::support::api::{Api, builder, text, with};

/// An id that a caller may choose, on the only partition.
const ID: &str = "01990000-0000-7000-8000-0000000000aa";
/// The same, for the handler itself.
const OWN: &str = "01990000-0000-7000-8000-0000000000bb";
/// 2100-01-01, in milliseconds since 1970.
const LATE_MS: u64 = 4_102_444_800_000;
const LATE: &str = "2100-01-01T00:00:00Z";
/// A hundred days, which 32 bits do not hold.
const LONG_MS: u64 = 8_640_000_000;

/// A text of a script, said once.
fn say(text: &str) -> Value {
    json!([text, 1])
}

fn puppet(acts: Value, end: &str) -> Value {
    json!({"kind": "puppet", "id": OWN, "input": {"acts": acts, "end": end},
        "policy": {"retry_policy": {"max_retries": 0}}})
}

/// Returns what each act was answered.
async fn told(api: &Api, acts: Value) -> Vec<String> {
    let mut script = puppet(acts, "answers");
    script.as_object_mut().expect("an object").remove("id");
    let info = api.run(script).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    let (_, told) = api.result(&text(&info["id"])).await;
    let told = String::from_utf8(told).expect("text");
    told.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_creates_with_everything_a_request_may_have() {
    let database = database().await;
    let api = Api::start(builder(&database), &["puppet", "echo"]).await;
    let policy = json!({
        "retry_policy": {"max_retries": 7},
        "routing_requirements": {"required_capabilities": ["cpu"]},
    });
    let request = json!({
        "policy": say(&policy.to_string()), "capabilities": [say("gpu")], "id": say(ID),
        "deadline_at": LATE_MS, "delay_ms": LONG_MS, "priority": 5,
        "idempotency_key": say("once"),
    });
    let mut other = request.clone();
    other["priority"] = json!(6);
    let mut conflicting = other.clone();
    conflicting["id"] = Value::Null;
    let answers = told(
        &api,
        json!([
            {"request": request}, {"request": request}, {"request": other},
            {"request": conflicting},
            {"request": {"policy": say(r#"{"budget_ids": ["b"]}"#)}},
            {"request": {"delay_ms": 1, "delay_until": LATE_MS}},
            {"request": {"deadline_at": -1}},
            {"request": {"id": say("x")}},
        ]),
    )
    .await;
    for (answer, wanted) in answers.iter().zip([
        format!("Ok(Created::Created(\"{ID}\"))"),
        format!("Ok(Created::Duplicate(\"{ID}\"))"),
        format!("Err(Error::IdempotencyConflict(\"{ID}\"))"),
        format!("Err(Error::IdempotencyConflict(\"{ID}\"))"),
        "Err(Error::Invalid(\"not_offered: policy.budget_ids".to_owned(),
        "Err(Error::Invalid(\"invalid_input: delay_until: excludes delay_ms".to_owned(),
        "Err(Error::Invalid(\"invalid_input: deadline_at: ".to_owned(),
        "Err(Error::Invalid(\"invalid_input: id: ".to_owned(),
    ]) {
        assert!(answer.starts_with(&wanted), "{answer}, not {wanted}");
    }
    let (status, info) = api.get(&format!("/v1/executions/{ID}")).await;
    assert_eq!(status, StatusCode::OK, "{info}");
    assert_eq!(
        (
            &info["public_state"],
            &info["priority"],
            &info["deadline_at"]
        ),
        (&json!("delayed"), &json!(5), &json!(LATE))
    );
    let creator = text(&info["creator"]);
    assert!(creator.starts_with("execution:"), "{creator}");
    let at = |name: &str| {
        text(&info[name])
            .parse::<model::Moment>()
            .expect("a time")
            .utc()
    };
    let waits = (at("wake_at") - at("created_at")).whole_milliseconds();
    let long = i128::from(LONG_MS);
    assert!((long - 1000..=long + 1000).contains(&waits), "{waits}");
    let (_, kept) = api.get(&format!("/v1/executions/{ID}/policy")).await;
    assert_eq!(kept["retry_policy"]["max_retries"], 7);
    let required = &kept["routing_requirements"]["required_capabilities"];
    assert_eq!(*required, json!(["gpu"]), "in place of the policy's");

    let answers = told(
        &api,
        json!([{"request": {"delay_until": LATE_MS, "id": say(ID)}}]),
    )
    .await;
    assert_eq!(answers, ["Err(Error::IdConflict)"]);
    let paused = json!({"state": "disabled"});
    let path = "/v1/lanes/default";
    let script = puppet(json!([{"sleep": 2000}, {"request": {}}]), "answers");
    let id = api.create(script).await;
    api.until(&id, "active").await;
    let (status, _) = api.ask(reqwest::Method::PUT, path, Some(paused)).await;
    assert_eq!(status, StatusCode::OK);
    api.wait(&id).await;
    let (_, told) = api.result(&id).await;
    assert_eq!(told, b"\nErr(Error::LaneDisabled)");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_reads_an_execution_as_over_http_and_changes_its_labels() {
    let database = database().await;
    let api = Api::start(builder(&database), &["puppet", "echo"]).await;
    let waits = json!([{"suspend": [say("door"), null, 3_600_000, null]}]);
    let waiting = api.create(puppet(waits, "recorded")).await;
    api.until(&waiting, "suspended").await;
    let (_, info) = api.get(&format!("/v1/executions/{waiting}")).await;
    let waitpoint = text(&info["suspension"]["waitpoints"][0]["waitpoint_id"]);
    let labels = json!([[say("app.a"), say("1")], [say("app.b"), null]]);
    let answers = told(
        &api,
        json!([
            {"label": [say(&waiting), labels]},
            {"describe": say(&waiting)},
            {"label": [say(ID), labels]},
            {"describe": say(ID)},
        ]),
    )
    .await;
    assert_eq!(answers[0], "Ok(2)");
    for part in [
        format!("id: \"{waiting}\""),
        "state: State::Suspended".to_owned(),
        "tags: [(\"app.a\", \"1\")]".to_owned(),
        "blocking-reason: Some(\"waiting_for_signal\")".to_owned(),
        format!("waitpoints: [\"{waitpoint}\"]"),
        "index: 0".to_owned(),
        "current-lease: None".to_owned(),
        "wake-at: Some(".to_owned(),
        "creator: None".to_owned(),
    ] {
        assert!(answers[1].contains(&part), "{part} in {}", answers[1]);
    }
    assert_eq!(
        answers[2..],
        ["Err(Error::NotFound)", "Err(Error::NotFound)"]
    );
    let (_, done) = api
        .get(&format!("/v1/executions/{waiting}/operations"))
        .await;
    let by = text(&done["operations"][0]["actor"]);
    assert!(by.starts_with("execution:"), "{done}");
    let (status, _) = api
        .post(&format!("/v1/executions/{waiting}/cancel"), json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    let answers = told(&api, json!([{"describe": say(&waiting)}])).await;
    for part in [
        "code: \"cancelled\"",
        "finished-at: Some(",
        "waitpoints: []",
    ] {
        assert!(answers[0].contains(part), "{part} in {}", answers[0]);
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_sees_its_own_lease_delays_until_a_time_and_closes_its_waitpoint() {
    let database = database().await;
    let api = Api::start(builder(&database), &["puppet", "echo"]).await;
    let acts = json!([
        {"describe": say(OWN)},
        {"waitpoint": [say("door"), []]},
        {"close": say("gate")},
        {"close": say("door")},
        {"close": say("door")},
        {"delay_until": -1},
        "tell",
        {"delay_until": LATE_MS},
    ]);
    let id = api.create(puppet(acts, "recorded")).await;
    assert_eq!(id, OWN);
    let info = api.until(OWN, "delayed").await;
    assert_eq!(info["wake_at"], LATE, "{info}");
    let (_, page) = api.get("/v1/executions?kind=echo").await;
    let child = text(&page["executions"][0]["id"]);
    api.wait(&child).await;
    let (_, told) = api.result(&child).await;
    let told = String::from_utf8(told).expect("text");
    let told: Vec<_> = told.lines().collect();
    for part in [
        "state: State::Active",
        "epoch: 1",
        "last-heartbeat-at: None",
        // The id of the execution, as a version 8 UUID.
        "id: \"01990000-0000-8000-8000-0000000000bb\"",
    ] {
        assert!(told[0].contains(part), "{part} in {}", told[0]);
    }
    assert_eq!(
        told[1..5],
        [
            "Ok(())",
            "Err(SuspendError::WaitpointNotFound)",
            "Ok(())",
            "Ok(())"
        ]
    );
    assert!(
        told[5].contains("invalid_input: delay_until: "),
        "{}",
        told[5]
    );
    let (_, closed) = api.get(&format!("/v1/executions/{OWN}/waitpoints")).await;
    assert_eq!(closed["waitpoints"][0]["close_reason"], "proactive_close");

    let long =
        json!({"kind": "puppet", "input": {"acts": [{"delay": LONG_MS}], "end": "recorded"}});
    let long = api.create(long).await;
    let info = api.until(&long, "delayed").await;
    let at = |name: &str| {
        text(&info[name])
            .parse::<model::Moment>()
            .expect("a time")
            .utc()
    };
    assert!(
        (at("wake_at") - at("created_at")).whole_days() >= 100,
        "{info}"
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_creates_is_asked_for_by_who_asked_for_its_execution() {
    let database = database().await;
    let api = Api::start(builder(&database), &["puppet", "echo"]).await;
    let mut script = puppet(json!([{"request": {}}]), "answers");
    script.as_object_mut().expect("an object").remove("id");
    // Where no credential is required, what a caller says of itself is believed.
    script["creator"] = json!("key:ci/nightly");
    let parent = text(&api.run(script).await["id"]);
    let told = String::from_utf8(api.result(&parent).await.1).expect("text");
    let child = told.split('"').nth(1).expect("an id");
    let (status, info) = api.get(&format!("/v1/executions/{child}")).await;
    assert_eq!(status, StatusCode::OK, "{told}: {info}");
    assert_eq!(info["creator"], format!("key:ci/execution:{parent}"));
}

/// The functions of the interface that take the id of an execution.
const OF_AN_ID: [&str; 4] = ["describe", "result", "set-tags", "cancel"];

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_of_another_namespace_is_unknown_to_every_function() {
    let database = database().await;
    let api = Api::start(builder(&database), &["puppet", "echo"]).await;
    let ended = with(
        puppet(json!([]), "answers"),
        json!({"namespace": "elsewhere"}),
    );
    let foreign = text(&api.run(ended).await["id"]);
    let wit = include_str!("../../wit/executions.wit");
    let of_an_id: Vec<_> = wit
        .lines()
        .filter(|line| line.contains(": func(id: execution-id") && line.contains("-> result<"))
        .map(|line| line.trim().trim_start_matches('%').split(':').next())
        .collect();
    assert_eq!(of_an_id, OF_AN_ID.map(Some), "each is tried below");
    let labels = json!([[say("app.a"), say("1")]]);
    let tries = |id: &str| {
        json!([
            {"describe": say(id)},
            {"result_of": say(id)},
            {"label": [say(id), labels]},
            {"cancel_of": [say(id), say("no")]},
        ])
    };
    let answers = told(&api, tries(&foreign)).await;
    assert_eq!(answers, told(&api, tries(ID)).await);
    assert_eq!(answers, ["Err(Error::NotFound)"; 4]);
    let (_, info) = api.get(&format!("/v1/executions/{foreign}")).await;
    assert_eq!(info["public_state"], "completed", "nothing was done to it");
    assert_eq!(info["tags"], json!({}), "{info}");
}
