//! Components that stream: frames come out in the order they were appended and as they
//! were, an attempt that continues continues its stream, a flood is bounded, and what a
//! handler says can be followed while it runs.

use std::time::Duration;

use engine::{
    Addressee, Engine, LogPage, ReadLog, ReadStream, SendSignal, StreamPage, TailStream,
    WaitpointRef,
};
use model::{ClosedReason, FrameMode, LogPlace, StreamCursor, StreamFrame, Visibility};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Answered, database, eventually};

use crate::support::api::{Api, builder, once};
use crate::support::work::operate;

const ALL: u32 = 10_000;

async fn stream(engine: &Engine, id: &str) -> StreamPage {
    let request = ReadStream {
        execution_id: id.parse().expect("an id"),
        attempt: 0,
        namespace: None,
        from: StreamCursor::Start,
        to: StreamCursor::End,
        count: ALL,
        visibility: Visibility::All,
    };
    let page = engine.read_stream(&request).await.answered();
    page.unwrap_or_else(|refusal| panic!("{id}: {refusal}"))
}

async fn summary(engine: &Engine, id: &str) -> Option<(Value, u64)> {
    let id = id.parse().expect("an id");
    let found = engine.read_summary(id, 0, None).await.answered();
    let found = found.unwrap_or_else(|refusal| panic!("{id}: {refusal}"))?;
    let document = serde_json::from_slice(&found.document_json).expect("JSON");
    Some((document, found.version))
}

/// Returns what frames of a type carry, one after the other.
fn said(page: &StreamPage, frame_type: &str) -> String {
    let frames = page.frames.iter();
    let of_type = frames.filter(|frame| frame.frame_type == frame_type);
    of_type
        .map(|frame| String::from_utf8_lossy(&frame.payload))
        .collect()
}

fn assert_in_order(page: &StreamPage) {
    assert!(page.frames.is_sorted_by(|a, b| a.id < b.id));
}

async fn result(api: &Api, id: &str) -> String {
    let info = api.wait(id).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    let (_, data) = api.result(id).await;
    String::from_utf8(data).expect("text")
}

fn story(order: &Value) -> Value {
    json!({"kind": "narrator", "input": order})
}

fn is_completed(info: &Value) -> bool {
    info["public_state"] == "completed"
}

#[tokio::test(flavor = "multi_thread")]
async fn the_narrator_is_followed_word_by_word_while_it_tells() {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), &["narrator"]).await;
    let order = story(&json!({"subject": "the tide", "words": 40, "words_per_s": 40}));
    let id = api.create(order).await;
    let mut tail = TailStream {
        execution_id: id.parse().expect("an id"),
        attempt: 0,
        namespace: None,
        after: StreamCursor::from_beginning(),
        count: 7,
        visibility: Visibility::ExcludeBestEffort,
        wait: Duration::from_secs(30),
    };
    let (mut followed, mut while_it_ran, mut sees_end) = (Vec::new(), 0, None);
    while sees_end.is_none() {
        let page = engine.tail_stream(&tail).await.answered();
        let page = page.unwrap_or_else(|refusal| panic!("{refusal}"));
        if let Some(last) = page.last() {
            tail.after = last.into();
        }
        let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
        while_it_ran += page.frames.len() * usize::from(!is_completed(&info));
        followed.extend(page.frames);
        sees_end = page.closed.filter(|_| !page.more);
    }
    assert!(while_it_ran > 10, "{while_it_ran} frames while it ran");
    let closed = sees_end.map(|closed| closed.reason);
    assert_eq!(closed, Some(ClosedReason::AttemptSuccess));
    let page = stream(&engine, &id).await;
    assert_in_order(&page);
    let kept = page.frames.iter().cloned();
    let kept: Vec<_> = kept.filter(|it| it.mode != FrameMode::BestEffort).collect();
    assert_eq!(followed, kept, "a follower sees each frame once");
    let text = result(&api, &id).await;
    assert_eq!(said(&page, "word").trim_end(), text);
    assert_eq!(text.split(' ').count(), 40);
    let (document, version) = summary(&engine, &id).await.expect("a summary");
    assert_eq!(
        (&document["words"], &document["done"]),
        (&json!(40), &json!(true))
    );
    let patches = page.frames.iter();
    let patches = patches.filter(|frame| frame.mode == FrameMode::DurableSummary);
    assert_eq!(version, patches.count() as u64);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_resumes_continues_its_stream() {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), &["narrator"]).await;
    let order = json!({"subject": "x", "words": 30, "words_per_s": 1000, "wait_after": 5});
    let id = api.create(story(&order)).await;
    api.until(&id, "suspended").await;
    let before = stream(&engine, &id).await;
    assert_eq!(before.closed, None, "it may continue");
    let (document, _) = summary(&engine, &id).await.expect("a summary");
    let words = document["words"].as_u64().expect("a number");
    assert!((5..30).contains(&words), "{document}");
    assert_eq!(document["done"], false);
    let go_on = SendSignal {
        to: Addressee::Operator {
            operate: operate(id.parse().expect("an id")),
            waitpoint: WaitpointRef::Key("continue".to_owned()),
        },
        name: "continue".to_owned(),
        category: None,
        source_type: "person".to_owned(),
        source_identity: "ada".to_owned(),
        credential: None,
        correlation_id: None,
        payload: None,
        idempotency_key: None,
        dedup_ttl_ms: None,
    };
    let sent = engine.send_signal(go_on).await.answered();
    sent.unwrap_or_else(|refusal| panic!("{refusal}"));
    let text = result(&api, &id).await;
    let after = stream(&engine, &id).await;
    assert_in_order(&after);
    let durable = |page: &StreamPage| -> Vec<StreamFrame> {
        let kept = page.frames.iter().map(|frame| StreamFrame::clone(frame));
        kept.filter(|it| it.mode != FrameMode::BestEffort).collect()
    };
    let (before, whole) = (durable(&before), durable(&after));
    assert_eq!(whole[..before.len()], before, "nothing before is changed");
    assert_eq!(
        said(&after, "word").trim_end(),
        text,
        "no word twice, none left out"
    );
    assert_eq!(api.attempts(&id).await.len(), 1, "it is one attempt");
    let (document, _) = summary(&engine, &id).await.expect("a summary");
    assert_eq!(document["words"], 30, "{document}");
    database.assert_invariants().await;
}

/// Has a handler perform acts, and returns what it was answered, a line each.
async fn acts(api: &Api, acts: Value) -> (String, Vec<String>) {
    let script = json!({"acts": acts, "end": "answers"});
    let id = api.create(once("puppet", &script.to_string())).await;
    let answers = result(api, &id).await;
    (id, answers.lines().map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_come_out_as_they_went_in_and_bad_frames_are_refused_by_name() {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), &["puppet"]).await;
    let bytes = json!([0, 255, 254, 10, 128]);
    let (id, answers) = acts(
        &api,
        json!([
            {"append": [["raw", 1], ["", 0], {"bytes": bytes}]},
            {"append_all": [
                [["text", 1], ["h\u{e9}llo", 1], {"correlation_id": ["call-7", 1], "metadata": ["{\"n\": 1}", 1]}],
                [["empty", 1], ["", 0], {"ttl_ms": 3_600_000, "produced_at": 1.7e12}],
                [["told", 1], ["{\"a\": {\"b\": 1}}", 1], {"summary": true}]]},
            {"append": [["told", 1], ["{\"a\": {\"b\": null, \"c\": \"__ff_null__\"}}", 1], {"summary": true}]},
            "summary",
        ]),
    )
    .await;
    assert!(
        answers.iter().all(|answer| answer.starts_with("Ok(")),
        "{answers:?}"
    );
    let page = stream(&engine, &id).await;
    assert_in_order(&page);
    assert_eq!(page.frames.len(), 5);
    assert_eq!(page.frames[0].payload, [0, 255, 254, 10, 128]);
    let text = &page.frames[1];
    assert_eq!(
        (text.correlation_id.as_deref(), text.metadata.as_deref()),
        (Some("call-7"), Some("{\"n\": 1}"))
    );
    assert_eq!(page.frames[2].ts.unix_timestamp(), 1_700_000_000);
    let (document, version) = summary(&engine, &id).await.expect("a summary");
    assert_eq!((document, version), (json!({"a": {"c": null}}), 2));
    assert!(answers[3].contains("version: 2"), "{}", answers[3]);

    let deep = "{\"a\":".repeat(17) + "1" + &"}".repeat(17);
    let (id, answers) = acts(
        &api,
        json!([
            {"append": [["", 0], ["x", 1]]},
            {"append": [["a\nb", 1], ["x", 1]]},
            {"append": [["big", 1], ["x", 65_537]]},
            {"append": [["told", 1], [deep, 1], {"summary": true}]},
            {"append": [["told", 1], ["[]", 1], {"summary": true}]},
            {"append": [["x", 1], ["x", 1], {"ttl_ms": 0}]},
            {"append": [["x", 1], ["x", 1], {"metadata": ["{", 1]}]},
            {"append": [["x", 1], ["x", 1], {"correlation_id": ["c", 300]}]},
            {"append": [["x", 1], ["x", 1], {"produced_at": -1.0}]},
            {"append_all": []},
            {"append_all": [[["good", 1], ["x", 1]], [["", 0], ["x", 1]]]},
            "summary",
        ]),
    )
    .await;
    let wanted = [
        "Err(StreamError::InvalidFrameType(",
        "Err(StreamError::InvalidFrameType(",
        "Err(StreamError::RetentionLimitExceeded(65536))",
        "Err(StreamError::PatchDepthExceeded(16))",
        "Err(StreamError::Invalid(\"invalid_input: payload",
        "Err(StreamError::Invalid(\"invalid_input: ttl_ms",
        "Err(StreamError::Invalid(\"invalid_input: metadata",
        "Err(StreamError::Invalid(\"invalid_input: correlation_id",
        "Err(StreamError::Invalid(\"invalid_input: produced_at",
        "Err(StreamError::Invalid(\"invalid_input: frames",
        "Err(StreamError::InvalidFrameType(",
        "Ok(None)",
    ];
    assert_eq!(answers.len(), wanted.len(), "{answers:?}");
    for (answer, wanted) in answers.iter().zip(wanted) {
        assert!(answer.starts_with(wanted), "{answer}: {wanted}");
    }
    assert!(stream(&engine, &id).await.frames.is_empty(), "all or none");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_appended_after_the_end_of_the_lease() {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), &["puppet", "echo"]).await;
    let script = json!({"acts": [
        {"append": [["first", 1], ["x", 1]]},
        {"complete": [["text/plain", 1], ["done", 1]]},
        {"append": [["late", 1], ["x", 1]]},
        {"append_all": [[["late", 1], ["x", 1]]]},
        "tell",
    ], "end": "recorded"});
    let id = api.create(once("puppet", &script.to_string())).await;
    assert_eq!(result(&api, &id).await, "done");
    let told = eventually("what it was answered", async || {
        let (_, list) = api.get("/v1/executions?kind=echo").await;
        let id = list["executions"].as_array()?.first()?["id"]
            .as_str()?
            .to_owned();
        Some(result(&api, &id).await)
    })
    .await;
    let answers: Vec<_> = told.lines().skip(2).collect();
    assert_eq!(answers, ["Err(StreamError::StreamClosed)"; 2], "{told}");
    let page = stream(&engine, &id).await;
    assert_eq!(page.frames.len(), 1);
    let closed = page.closed.map(|closed| closed.reason);
    assert_eq!(closed, Some(ClosedReason::AttemptSuccess));
}

/// With a long grace, so that the service is told rather than stopped.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_appends_under_the_lease_it_holds_and_is_told_when_it_is_lost() {
    let database = database().await;
    let engine = database.engine().await;
    let builder = builder(&database).environment("FLOWHOST_SANDBOX_CANCEL_GRACE_MS", "20000");
    let api = Api::start(builder, &["puppet-service"]).await;
    let script = json!({"acts": [
        {"append": [["first", 1], ["x", 1]]},
        {"sleep": 2000},
        {"append": [["late", 1], ["x", 1]]},
        "summary",
    ], "end": "answers"});
    let id = api
        .create(once("puppet-service", &script.to_string()))
        .await;
    eventually("the first frame", async || {
        (stream(&engine, &id).await.frames.len() == 1).then_some(())
    })
    .await;
    let path = format!("/v1/executions/{id}/revoke-lease");
    let (status, body) = api.post(&path, json!({})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    eventually("the service is told", async || {
        let log = api.host.log();
        log.contains("StreamError::StaleOwnerCannotAppend")
            .then_some(())
    })
    .await;
    let page = stream(&engine, &id).await;
    assert_eq!(
        page.frames.len(),
        1,
        "nothing is appended under a lost lease"
    );
    let closed = page.closed.map(|closed| closed.reason);
    assert_eq!(closed, Some(ClosedReason::AttemptInterrupted));
    assert_eq!(result(&api, &id).await, "resumed", "under another lease");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_bounded_by_name_and_does_not_harm_the_host() {
    let database = database().await;
    let engine = database.engine().await;
    let builder = builder(&database)
        .environment("FLOWHOST_SANDBOX_STREAM_FRAMES_MAX", "500")
        .environment("FLOWHOST_SANDBOX_STREAM_BYTES_MAX", "2000000")
        .environment("FLOWHOST_SANDBOX_HOST_CALLS_MAX", "2000");
    let api = Api::start(builder, &["stream-flood", "echo"]).await;
    for (flood, frames, refusal) in [
        (
            "frames 10",
            448,
            "StreamLimitExceeded(\"512 frames under one lease exceed the limit of 500 (sandbox.stream_frames_max)\")",
        ),
        (
            "frames 16000",
            64,
            "StreamLimitExceeded(\"2048640 bytes of frames under one lease exceed the limit of 2000000 (sandbox.stream_bytes_max)\")",
        ),
        (
            "frames 60000",
            0,
            "Invalid(\"invalid_input: frames: 3840320 bytes exceed the limit of 1048576 for one call\")",
        ),
        ("summary 60000", 4, "RetentionLimitExceeded(262144)"),
        ("huge 65536", 1, ""),
        ("huge 65537", 0, "RetentionLimitExceeded(65536)"),
        (
            "huge 3000000",
            0,
            "StreamLimitExceeded(\"3000005 bytes of frames under one lease exceed the limit of 2000000 (sandbox.stream_bytes_max)\")",
        ),
        ("wide 256", 256, ""),
        ("wide 257", 0, "Invalid(\"invalid_input: frames"),
        ("wide 0", 0, "Invalid(\"invalid_input: frames"),
        ("deep 16", 1, ""),
        ("deep 60000", 0, "RetentionLimitExceeded(65536)"),
        ("deep 9000", 0, "PatchDepthExceeded(16)"),
    ] {
        let id = api.create(once("stream-flood", flood)).await;
        let said = result(&api, &id).await;
        let wanted = match refusal {
            "" => format!("{frames} None"),
            refusal => format!("{frames} Some(StreamError::{refusal}"),
        };
        assert!(said.starts_with(&wanted), "{flood}: {said}");
        let kept = stream(&engine, &id).await.frames.len();
        assert_eq!(kept, frames, "{flood}");
    }
    let info = api.run(once("stream-flood", "forever 100")).await;
    assert_eq!(info["failure"]["code"], "host_call_limit", "{info}");
    let id = info["id"].as_str().expect("an id");
    assert_eq!(stream(&engine, id).await.frames.len(), 500);
    // More in one call than the sandbox may pass to the host, or hold.
    let info = api.run(once("stream-flood", "huge 30000000")).await;
    let code = info["failure"]["code"].as_str().unwrap_or_default();
    assert!(
        ["memory_limit", "host_call_limit"].contains(&code),
        "{info}"
    );
    assert!(is_completed(&api.run(once("echo", "still here")).await));
    database.assert_invariants().await;
}

async fn log(engine: &Engine, id: &str, after: LogPlace, wait: Duration) -> LogPage {
    let request = ReadLog {
        execution_id: id.parse().expect("an id"),
        attempt: 0,
        namespace: None,
        after,
    };
    let page = engine.tail_log(&request, wait).await.answered();
    page.unwrap_or_else(|refusal| panic!("{id}: {refusal}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_while_its_handler_runs_and_joins_the_recorded_one() {
    let database = database().await;
    let engine = database.engine().await;
    let api = Api::start(builder(&database), &["puppet"]).await;
    let mut acts = Vec::new();
    for line in 0..12 {
        acts.push(json!({"log": [format!("record {line}"), 1]}));
        acts.push(json!({"stdout": [format!("line {line}\nhalf a "), 1]}));
        acts.push(json!({"sleep": 150}));
    }
    let script = json!({"acts": acts, "end": {"completed": [["text/plain", 1], ["ok", 1]]}});
    let id = api.create(once("puppet", &script.to_string())).await;
    let (mut followed, mut after, mut while_it_ran) = (Vec::new(), LogPlace::default(), 0);
    loop {
        let page = log(&engine, &id, after, Duration::from_secs(30)).await;
        let (_, info) = api.get(&format!("/v1/executions/{id}")).await;
        if !page.text.is_empty() && !is_completed(&info) {
            while_it_ran += 1;
        }
        followed.extend_from_slice(&page.text);
        after = page.next;
        if page.closed.is_some() && !page.more {
            break;
        }
    }
    assert!(while_it_ran >= 2, "{while_it_ran} pages while it ran");
    let attempts = api.attempts(&id).await;
    let recorded = attempts[0]["leases"][0]["log"].as_str().expect("a log");
    assert_eq!(String::from_utf8_lossy(&followed), recorded);
    assert!(recorded.contains("record 11") && recorded.contains("half a line 11"));

    // One that ends sooner shows nothing before its end.
    let script = json!({"acts": [{"log": ["short", 1]}], "end": "answers"});
    let id = api.create(once("puppet", &script.to_string())).await;
    result(&api, &id).await;
    let page = log(&engine, &id, LogPlace::default(), Duration::ZERO).await;
    let text = String::from_utf8_lossy(&page.text).into_owned();
    assert!(text.contains("short"), "{text}");
    database.assert_invariants().await;
}
