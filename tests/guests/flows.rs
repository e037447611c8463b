//! Components in flows: children that are waited for as the same attempt, inputs that
//! other members pass on, and flows of the guest's namespace alone.

use engine::{Engine, FlowMember};
use model::{ExecutionId, FlowId, PublicState};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Answered, Database, database, eventually};

use crate::support::api::{Api, builder, text, with};

/// An id that a caller may choose, on the only partition.
const OWN: &str = "01990000-0000-7000-8000-0000000000cc";
const OTHER: &str = "01990000-0000-7000-8000-0000000000dd";

/// A text of a script, said once.
fn say(text: &str) -> Value {
    json!([text, 1])
}

fn flow(act: Value) -> Value {
    json!({"flow": act})
}

/// A member of a script's graph.
fn member(name: &str, kind: &str, input: &str) -> Value {
    json!([say(name), say(kind), say(input)])
}

/// An edge of a script's graph that waits for success.
fn edge(upstream: &str, downstream: &str) -> Value {
    json!([say(upstream), say(downstream)])
}

fn script(acts: Value, then: Value) -> Value {
    json!({"kind": "puppet", "id": OWN, "policy": {"retry_policy": {"max_retries": 0}},
        "input": {"acts": acts, "end": "recorded", "then": then}})
}

fn answering(acts: Value) -> Value {
    json!({"kind": "puppet", "policy": {"retry_policy": {"max_retries": 0}},
        "input": {"acts": acts, "end": "answers"}})
}

async fn lines(api: &Api, id: &str) -> Vec<String> {
    let (_, told) = api.result(id).await;
    let told = String::from_utf8(told).expect("text");
    told.lines().map(str::to_owned).collect()
}

/// Returns what each act was answered.
async fn told(api: &Api, acts: Value) -> Vec<String> {
    let info = api.run(answering(acts)).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    lines(api, &text(&info["id"])).await
}

async fn members(engine: &Engine, flow: &str) -> Vec<FlowMember> {
    let id: FlowId = flow.parse().expect("an id");
    let info = engine.flow(id, None).await.answered().expect("there");
    engine.flow_members(&info, None, 1000).await.answered().rows
}

/// Returns the states of the children, by their names.
async fn states(engine: &Engine, parent: &str) -> String {
    let id: ExecutionId = parent.parse().expect("an id");
    let mut shown = Vec::new();
    for member in members(engine, parent).await {
        if member.parent_id == Some(id) {
            let name = member.name.unwrap_or_default();
            shown.push(format!("{name} {}", member.execution.public_state));
        }
    }
    shown.join(", ")
}

async fn started(guests: &[&str]) -> (Database, Engine, Api) {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), guests).await;
    (database, engine, api)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_waits_for_its_children_and_reads_them_in_order_as_the_same_attempt() {
    let (database, engine, api) = started(&["puppet", "echo", "slow"]).await;
    let fails = r#"{"end": {"failed": [1, ["broken", 1], ["it broke", 1]]}}"#;
    let graph = json!({"members": [
        member("third", "slow", "300"),
        member("first", "puppet", fails),
        member("second", "echo", "hello"),
    ], "edges": [edge("third", "second")]});
    let acts = json!([
        flow(json!({"start": graph})),
        flow(json!({"start": graph})),
        flow(json!({"wait": [null, "all_of", null]})),
    ]);
    let then = json!([
        flow(json!("children")),
        flow(json!("results")),
        flow(json!({"describe": say(OWN)})),
        flow(json!({"members": [say(OWN), null, 2]})),
    ]);
    let id = api.create(script(acts, then)).await;
    let info = api.wait(&id).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    assert_eq!(info["attempts"], 1, "{info}");
    assert_eq!(info["flow_id"], OWN, "a flow is made for it");
    let attempts = api.attempts(&id).await;
    assert_eq!(attempts[0]["leases"].as_array().map(Vec::len), Some(2));
    let answers = lines(&api, &id).await;
    assert_eq!(
        answers[0],
        "Some(\"third\")=Some(Outcome::Success)None \
         Some(\"first\")=Some(Outcome::Failed)Some(\"broken\") \
         Some(\"second\")=Some(Outcome::Success)None"
    );
    assert_eq!(answers[1], "300 Error::NoResult hello");
    for part in [
        "kind: \"puppet\"",
        "status: Status::Active",
        "public-flow-state: FlowState::Running",
        "node-count: 4",
        "total: 4",
        "failed: 1",
        "cancellation-policy: CancellationPolicy::CancelAll",
        "ended-at: None",
    ] {
        assert!(answers[2].contains(part), "{part} in {}", answers[2]);
    }
    assert!(answers[3].contains("next: Some("), "{}", answers[3]);
    let all = members(&engine, OWN).await;
    assert_eq!(all.len(), 4, "started twice under their names: {all:?}");
    let of_second = all.iter().find(|it| it.name.as_deref() == Some("second"));
    let creator = of_second.and_then(|it| it.execution.creator.clone());
    assert_eq!(creator, Some(format!("execution:{OWN}")));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_waits_for_one_or_some_of_its_children() {
    let (database, engine, api) = started(&["puppet", "echo", "slow"]).await;
    let fails = r#"{"end": {"failed": [1, ["broken", 1], ["it broke", 1]]}}"#;
    // Named, so that one that has ended before the wait begins counts as well.
    let named = json!([say("a"), say("b"), say("c")]);
    for (number, (wait, wanted)) in [
        (
            json!([named, "any_of", null]),
            "a completed, b failed, c active",
        ),
        (
            json!([named, "any_of_cancel", null]),
            "a completed, b failed, c cancelled",
        ),
        (
            json!([named, {"quorum": 2}, "always"]),
            "a completed, b failed, c active",
        ),
        (
            json!([[say("b")], "all_of", "on_failure"]),
            "a completed, b failed, c active",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let graph = json!({"members": [
            member("a", "echo", "quick"),
            member("b", "puppet", fails),
            member("c", "slow", "3600000"),
        ]});
        let acts = json!([flow(json!({"start": graph})), flow(json!({"wait": wait})),]);
        let id = format!("01990000-0000-7000-8000-00000000010{number}");
        let body = with(
            script(acts, json!([flow(json!("children"))])),
            json!({"id": id}),
        );
        assert_eq!(api.create(body).await, id);
        let info = api.wait(&id).await;
        assert_eq!(info["public_state"], "completed", "{wait}: {info}");
        assert_eq!(info["attempts"], 1, "{wait}: {info}");
        eventually(&format!("{wait}: {wanted}"), async || {
            (states(&engine, &id).await == wanted).then_some(())
        })
        .await;
        let acts = json!([flow(
            json!({"cancel": [say(&id), "cancel_all", say("over")]})
        )]);
        let answers = told(&api, acts).await;
        assert!(answers[0].contains("already: false"), "{answers:?}");
    }
    // Without children it resumes immediately; for a child that is none it is told.
    let acts = json!([
        flow(json!({"wait": [[say("no-such-child")], "all_of", null]})),
        flow(json!({"wait": [null, "all_of", null]})),
    ]);
    let id = api
        .create(script(acts, json!([flow(json!("children"))])))
        .await;
    let info = api.wait(&id).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    assert_eq!(info["attempts"], 1, "{info}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn children_are_cancelled_with_their_parent() {
    let (database, engine, api) = started(&["puppet", "echo", "slow"]).await;
    let graph = json!({"members": [
        member("runs", "slow", "3600000"),
        member("waits", "echo", "x"),
    ], "edges": [edge("runs", "waits")]});
    let acts = json!([
        flow(json!({"start": graph})),
        flow(json!({"wait": [null, "all_of", null]})),
    ]);
    let id = api.create(script(acts, json!([]))).await;
    api.until(&id, "waiting_children").await;
    eventually("a child runs", async || {
        states(&engine, &id)
            .await
            .contains("runs active")
            .then_some(())
    })
    .await;
    let path = format!("/v1/executions/{id}/cancel");
    let (status, body) = api.post(&path, json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    eventually("its children are cancelled", async || {
        let states = states(&engine, &id).await;
        (states == "runs cancelled, waits cancelled").then_some(())
    })
    .await;
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_reads_what_others_pass_on_and_nothing_else() {
    let (database, engine, api) = started(&["puppet", "echo", "slow"]).await;
    let fails = r#"{"end": {"failed": [1, ["broken", 1], ["it broke", 1]]}}"#;
    let reads = json!({"end": "answers", "acts": [
        flow(json!("inputs")),
        flow(json!({"read_input": say("good")})),
        flow(json!({"read_input": say("bad")})),
        flow(json!({"read_input": say("unnamed")})),
        flow(json!({"read_input": say("no such name")})),
        flow(json!("children")),
    ]});
    let graph = json!({"members": [
        member("a", "echo", "passed on"),
        member("b", "puppet", fails),
        member("unnamed", "echo", "not passed on"),
        member("last", "puppet", &reads.to_string()),
    ], "edges": [
        json!([say("a"), say("last"), "success_only", say("good")]),
        json!([say("b"), say("last"), "always", say("bad")]),
        edge("unnamed", "last"),
    ]});
    let acts = json!([
        flow(json!({"create": {"kind": say("report"), "key": say("once"),
            "tags": [[say("app.a"), say("1")]], "graph": graph}})),
        flow(json!({"create": {"kind": say("report"), "key": say("once"),
            "tags": [[say("app.a"), say("1")]], "graph": graph}})),
        flow(json!({"create": {"kind": say("other"), "key": say("once")}})),
    ]);
    let parent = text(&api.run(answering(acts)).await["id"]);
    let answers = lines(&api, &parent).await;
    assert!(answers[0].contains("applied: true"), "{}", answers[0]);
    assert!(answers[1].contains("applied: false"), "{}", answers[1]);
    assert!(
        answers[2].contains("FlowError::IdempotencyConflict("),
        "{}",
        answers[2]
    );
    let (_, rest) = answers[0].split_once("flow-id: \"").expect("an id");
    let id = &rest[..36];
    let last = eventually("the last member has ended", async || {
        let all = members(&engine, id).await;
        let last = all
            .into_iter()
            .find(|it| it.name.as_deref() == Some("last"))?;
        (last.execution.public_state == PublicState::Completed).then_some(last)
    })
    .await;
    let read = lines(&api, &last.execution.id.to_string()).await;
    for part in [
        "name: \"bad\"",
        "outcome: Some(Outcome::Failed)",
        "name: \"good\"",
        "outcome: Some(Outcome::Success)",
        "bytes: 9",
    ] {
        assert!(read[0].contains(part), "{part} in {}", read[0]);
    }
    assert!(!read[0].contains("unnamed"), "{}", read[0]);
    assert_eq!(read[1..4], ["\"passed on\"", "Ok(None)", "Ok(None)"]);
    assert!(read[4].contains("invalid_input: name: "), "{}", read[4]);
    assert_eq!(read[5..], [""; 0], "it started none");
    let info = engine.flow(id.parse().expect("an id"), None).await;
    let info = info.answered().expect("there");
    assert_eq!(info.creator, Some(format!("execution:{parent}")));
    assert_eq!(info.tags["app.a"], "1");
    database.assert_invariants().await;
}

/// What each refusal is called, and that nothing is done.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_name_what_is_wrong_with_a_graph() {
    let (database, _, api) = started(&["puppet", "echo"]).await;
    let two = json!([member("a", "echo", "x"), member("b", "echo", "x")]);
    let start = |graph: Value| flow(json!({"start": graph}));
    let graphs = json!([
        start(json!({"members": [member("a", "no-such-kind", "x")]})),
        start(json!({"members": [member("a b", "echo", "x")]})),
        start(json!({"members": [member(OWN, "echo", "x")]})),
        start(json!({"members": two, "member_key": say("key")})),
        start(json!({"members": two, "edges": [edge("a", "b"), edge("b", "a")]})),
        start(json!({"members": two, "edges": [edge("a", "a")]})),
        start(json!({"members": two, "edges": [edge("a", "b"), edge("a", "b")]})),
        start(json!({"members": two, "edges": [edge("a", "c")]})),
        start(json!({"members": two, "edges": [json!([say("a"), say("b"), "always", say("é")])]})),
        start(json!({"members": two, "policies": [[say("b"), {"quorum": 0}]]})),
        start(json!({"members": two, "edges": [edge("a", "b")],
            "policies": [[say("b"), {"quorum": 2}]]})),
        start(json!({"executions": [say(OTHER)]})),
        start(json!({"executions": [say("x")]})),
        start(json!({"many": [10_001, ["", 0]]})),
        flow(json!({"create": {"kind": say("a b")}})),
        flow(json!({"create": {"kind": say("k"), "tags": [[say("x"), say("1")]]}})),
        flow(json!({"create": {"kind": say("k"), "key": ["k", 256]}})),
        flow(json!({"create": {"kind": say("k"), "twice": true}})),
        flow(json!({"grow": [say(OTHER), null, {"members": two}]})),
        flow(json!({"grow": [say("x"), null, {"members": two}]})),
        flow(json!({"members": [say(OTHER), null, 0]})),
        flow(json!({"members": [say(OTHER), null, 257]})),
        flow(json!({"cancel": [say(OTHER), null, ["r", 1025]]})),
        flow(json!({"wait": [[say("x y")], "all_of", null]})),
        flow(json!({"wait": [[say("a")], "all_of", null]})),
        flow(json!({"wait": [null, {"quorum": 0}, null]})),
    ]);
    let answers = told(&api, graphs).await;
    let wanted = [
        "FlowError::Member(RefusedMember{member:\"a\",why:Error::UnknownKind",
        "FlowError::Invalid(\"invalid_input: name: ",
        "FlowError::Invalid(\"invalid_input: name: ",
        "FlowError::Invalid(\"invalid_input: idempotency_key: ",
        "FlowError::CycleDetected([\"a\", \"b\"])",
        "FlowError::SelfReferencingEdge(\"a\")",
        "FlowError::DependencyAlreadyExists(",
        "FlowError::ExecutionNotInFlow(\"c\")",
        "FlowError::Invalid(\"invalid_input: data_passing_ref: ",
        "FlowError::Invalid(\"invalid_input: k: ",
        "FlowError::InvalidDependency(",
        "FlowError::ExecutionNotFound(",
        "FlowError::Invalid(\"invalid_input: execution_id: ",
        "FlowError::FlowTooLarge(10000)",
        "FlowError::Invalid(\"invalid_input: ",
        "FlowError::Invalid(\"invalid_tag_key: ",
        "FlowError::Invalid(\"invalid_input: idempotency_key: ",
        "FlowError::Invalid(\"invalid_input: new_flow: was used already",
        "FlowError::FlowNotFound",
        "FlowError::Invalid(\"invalid_input: id: ",
        "FlowError::Invalid(\"invalid_input: max: ",
        "FlowError::Invalid(\"invalid_input: max: ",
        "FlowError::Invalid(\"invalid_input: reason: ",
        "FlowError::Invalid(\"invalid_input: children: ",
        "FlowError::ExecutionNotInFlow(\"a\")",
        "FlowError::Invalid(\"invalid_input: k: ",
    ];
    assert_eq!(answers.len(), wanted.len(), "{answers:#?}");
    let mut wrong = Vec::new();
    for (answer, wanted) in answers.iter().zip(wanted) {
        let plain = |text: &str| text.replace(' ', "");
        if !plain(answer).starts_with(&plain(&format!("Err({wanted}"))) {
            wrong.push(format!("{answer}, not {wanted}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
    let (_, page) = api.get("/v1/executions?kind=echo").await;
    assert_eq!(page["executions"], json!([]), "nothing of them was done");
    database.assert_invariants().await;
}

/// The functions of the interface that take the id of a flow.
const OF_A_FLOW: [&str; 5] = ["grow", "describe", "members", "set-tags", "cancel"];

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_of_another_namespace_is_unknown_to_every_function() {
    let (database, engine, api) = started(&["puppet", "echo"]).await;
    let create = json!([flow(json!({"create": {"kind": say("theirs"),
        "graph": {"members": [member("a", "echo", "x")]}}}))]);
    let body = with(answering(create), json!({"namespace": "elsewhere"}));
    let parent = text(&api.run(body).await["id"]);
    let answers = lines(&api, &parent).await;
    let (_, rest) = answers[0].split_once("flow-id: \"").expect("an id");
    let foreign = &rest[..36];
    let wit = include_str!("../../wit/flows.wit");
    let of_a_flow: Vec<_> = wit
        .lines()
        .filter(|line| line.contains(": func(id: flow-id"))
        .map(|line| line.trim().split(':').next())
        .collect();
    assert_eq!(of_a_flow, OF_A_FLOW.map(Some), "each is tried below");
    let tries = |id: &str| {
        json!([
            flow(json!({"grow": [say(id), null, {"members": [member("b", "echo", "x")]}]})),
            flow(json!({"describe": say(id)})),
            flow(json!({"members": [say(id), null, 10]})),
            flow(json!({"label": [say(id), [[say("app.a"), say("1")]]]})),
            flow(json!({"cancel": [say(id), null, say("no")]})),
        ])
    };
    let answers = told(&api, tries(foreign)).await;
    assert_eq!(answers, told(&api, tries(OTHER)).await);
    assert_eq!(answers, ["Err(FlowError::FlowNotFound)"; 5]);
    let info = engine.flow(foreign.parse().expect("an id"), None).await;
    let info = info.answered().expect("there");
    assert_eq!((info.node_count, info.cancelled_at), (1, None));
    assert!(info.tags.is_empty(), "{info:?}");
    // Executions elsewhere join no flow, and are no inputs.
    let (_, page) = api
        .get("/v1/executions?kind=echo&namespace=elsewhere")
        .await;
    let theirs = text(&page["executions"][0]["id"]);
    let acts = json!([flow(json!({"start": {"executions": [say(&theirs)]}}))]);
    let answers = told(&api, acts).await;
    let wanted = format!("Err(FlowError::ExecutionNotFound(\"{theirs}\"))");
    assert_eq!(answers, [wanted]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_labels_grows_and_cancels_a_flow_of_its_namespace() {
    let (database, engine, api) = started(&["puppet", "echo", "slow"]).await;
    let create = json!([flow(
        json!({"create": {"kind": say("mine"), "cancel": "cancel_pending",
        "graph": {"members": [member("a", "slow", "3600000")]}}})
    )]);
    let answers = told(&api, create).await;
    let (_, rest) = answers[0].split_once("flow-id: \"").expect("an id");
    let id = &rest[..36];
    eventually("the member runs", async || {
        let all = members(&engine, id).await;
        (all[0].execution.public_state == PublicState::Active).then_some(())
    })
    .await;
    let more = json!({"members": [member("b", "echo", "x")], "edges": [edge("a", "b")]});
    let answers = told(
        &api,
        json!([
            flow(json!({"label": [say(id), [[say("app.a"), say("1")], [say("app.b"), null]]]})),
            flow(json!({"grow": [say(id), 7, more]})),
            flow(json!({"grow": [say(id), 1, more]})),
            flow(json!({"cancel": [say(id), null, say("enough")]})),
            flow(json!({"cancel": [say(id), "cancel_all", say("again")]})),
            flow(json!({"grow": [say(id), null, {"members": [member("c", "echo", "x")]}]})),
            flow(json!({"describe": say(id)})),
        ]),
    )
    .await;
    assert_eq!(answers[0], "Ok(2)");
    assert_eq!(answers[1], "Err(FlowError::StaleGraphRevision(1))");
    for (answer, parts) in answers[2..].iter().zip([
        &[
            "applied: true",
            "graph-revision: 3",
            "State::WaitingChildren",
        ][..],
        &[
            "already: false",
            "CancelPending",
            "Some(\"enough\")",
            "member-count: 1",
        ],
        &["already: true", "CancelPending", "Some(\"enough\")"],
        &["FlowError::FlowAlreadyTerminal"],
        &[
            "Status::Cancelled",
            "FlowState::Cancelled",
            "cancel-reason: Some(\"enough\")",
        ],
    ]) {
        for part in parts {
            assert!(answer.contains(part), "{part} in {answer}");
        }
    }
    let all = members(&engine, id).await;
    assert_eq!(
        all[0].execution.public_state,
        PublicState::Active,
        "it runs on"
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_starts_children_under_its_lease_and_resumes_with_them() {
    let (database, engine, api) = started(&["puppet-service", "echo"]).await;
    let graph = json!({"members": [member("a", "echo", "one"), member("b", "echo", "two")]});
    let acts = json!([
        flow(json!({"start": graph})),
        flow(json!({"wait": [null, "all_of", null]})),
        flow(json!({"start": graph})),
        flow(json!("children")),
    ]);
    let body = with(
        script(acts, json!([flow(json!("results"))])),
        json!({"kind": "puppet-service"}),
    );
    let id = api.create(body).await;
    let info = api.wait(&id).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    assert_eq!(info["attempts"], 1, "{info}");
    assert_eq!(lines(&api, &id).await, ["one two"]);
    assert_eq!(states(&engine, &id).await, "a completed, b completed");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_started_after_the_end_of_the_lease() {
    let (database, engine, api) = started(&["puppet", "echo"]).await;
    let graph = json!({"members": [member("a", "echo", "x")]});
    let acts = json!([
        {"complete": [["text/plain", 1], ["done", 1]]},
        flow(json!({"start": graph})),
        flow(json!({"wait": [null, "all_of", null]})),
        "tell",
    ]);
    let id = api.create(script(acts, json!([]))).await;
    let info = api.wait(&id).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    let told = eventually("what it was answered", async || {
        let (_, page) = api.get("/v1/executions?kind=echo").await;
        let id = page["executions"].as_array()?.first()?["id"]
            .as_str()?
            .to_owned();
        api.wait(&id).await;
        Some(lines(&api, &id).await)
    })
    .await;
    let wanted = "Err(FlowError::Lease(LeaseError::ExecutionNotActive))";
    assert_eq!(told, ["Ok(())", wanted, wanted]);
    let info = engine.get(id.parse().expect("an id"), None).await;
    let of_flow = info.answered().expect("there").flow_id;
    if let Some(flow) = of_flow {
        panic!("it became a member of {flow}");
    }
    database.assert_invariants().await;
}

/// What a guest puts together is kept by the host, and counts as the guest's memory.
#[tokio::test(flavor = "multi_thread")]
async fn graphs_of_hostile_sizes_stop_their_guest_alone() {
    let database = database().await;
    let builder = builder(&database)
        .environment("FLOWHOST_SANDBOX_MEMORY_BYTES_MAX", (8 << 20).to_string())
        .environment("FLOWHOST_SANDBOX_HOST_CALLS_MAX", "5000");
    let api = Api::start(builder, &["puppet", "echo"]).await;
    for (graph, code) in [
        (json!({"many": [1000, ["x", 20_000]]}), "memory_limit"),
        (json!({"many": [6000, ["", 0]]}), "host_call_limit"),
    ] {
        let acts = json!([flow(json!({"start": graph}))]);
        let info = api.run(answering(acts)).await;
        assert_eq!(info["failure"]["code"], code, "{info}");
    }
    // Names that are too long are not kept.
    let long = json!([["n", 100_000], say("echo"), ["", 0]]);
    let wide = json!([[["n", 100_000], say("a"), "always", ["r", 100_000]]]);
    let answers = told(
        &api,
        json!([
            flow(json!({"start": {"members": vec![long; 200]}})),
            flow(json!({"start": {"edges": vec![wide[0].clone(); 200]}})),
            flow(json!({"start": {"executions": vec![json!(["x", 100_000]); 200]}})),
            flow(json!({"start": {"policies": vec![json!([["x", 100_000], "all_of"]); 200]}})),
            flow(json!({"wait": [vec![json!(["x", 100_000]); 30], "all_of", null]})),
        ]),
    )
    .await;
    for answer in &answers {
        assert!(
            answer.starts_with("Err(FlowError::Invalid(\"invalid_input: "),
            "{answer}"
        );
        assert!(answer.len() < 500, "{answer}");
    }
    let acts = json!([flow(json!({"start": {"many": [300, ["x", 1000]]}}))]);
    let info = api.run(answering(acts)).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    database.assert_invariants().await;
}
