//! Handlers that wait, through `invoke`: a suspension ends the attempt, what was
//! asked for wrongly is refused by name, and a handler resumes with what it is
//! given.

use engine::{Payload, ReceivedSignal, Resumption};
use model::{SignalId, SuspensionCloseReason, SuspensionId, WaitpointId};
use runtime::{AttemptEnd, InvokeReport, InvokeSettings, invoke};
use serde_json::{Value, json};
use time::OffsetDateTime;

fn payload(content_type: &str, data: impl Into<Vec<u8>>) -> Payload {
    Payload {
        content_type: content_type.into(),
        data: data.into(),
    }
}

async fn run(name: &str, input: &str, resumption: Option<Resumption>) -> InvokeReport {
    let settings = InvokeSettings {
        resumption,
        ..InvokeSettings::default()
    };
    let input = payload("text/plain", input);
    invoke(settings, &testkit::guest(name), name, input)
        .await
        .expect("the sandbox can be set up")
        .unwrap_or_else(|refusal| panic!("{name} is refused: {refusal}"))
}

/// Runs a handler that completes.
async fn completed(name: &str, input: &str, resumption: Option<Resumption>) -> Payload {
    match run(name, input, resumption).await.outcome {
        AttemptEnd::Completed(result) => result,
        other => panic!("{name} {input}: {other:?}"),
    }
}

async fn answer(input: &str) -> String {
    let result = completed("restless", input, None).await;
    String::from_utf8(result.data).expect("text")
}

fn signal(number: u128, source_identity: &str, payload: Option<Payload>) -> ReceivedSignal {
    ReceivedSignal {
        id: SignalId(uuid::Uuid::from_u128(number)),
        waitpoint_id: WaitpointId(uuid::Uuid::from_u128(1)),
        waitpoint_key: "a".into(),
        name: "approved".into(),
        category: None,
        source_type: "person".into(),
        source_identity: source_identity.into(),
        correlation_id: None,
        payload,
        accepted_at: OffsetDateTime::UNIX_EPOCH,
    }
}

fn resumption(reason: SuspensionCloseReason, signals: Vec<ReceivedSignal>) -> Resumption {
    Resumption {
        suspension_id: SuspensionId(uuid::Uuid::from_u128(1)),
        reason,
        closed_at: OffsetDateTime::from_unix_timestamp(1000).expect("a time"),
        state: None,
        signal_count: signals.len() as u32,
        signals,
    }
}

#[tokio::test]
async fn a_suspension_ends_the_attempt_and_reports_its_waitpoints() {
    let input = r#"{"service": "payments", "version": "1.4.2"}"#;
    let report = run("approval", input, None).await;
    assert_eq!(report.outcome, AttemptEnd::Recorded);
    let log = report.log.expect("it is noted");
    assert!(log.contains("waiting_for_approval at approval"), "{log}");
    assert!(
        log.contains("payments 1.4.2 waits for 2 approvals"),
        "{log}"
    );
    let report = run("callback", r#"{"order": "A-17"}"#, None).await;
    assert_eq!(report.outcome, AttemptEnd::Recorded);
    let log = report.log.expect("it is noted");
    let url = "order A-17 waits for /v1/callbacks/made-up-by-flowhost-invoke-0";
    assert!(log.contains(url), "{log}");
    assert!(log.contains("waiting_for_callback at webhook"), "{log}");
}

#[tokio::test]
async fn a_handler_resumes_with_its_state_and_the_signals_received() {
    let input = r#"{"service": "payments", "version": "1.4.2"}"#;
    let decided = async |resumption| -> Value {
        let result = completed("approval", input, Some(resumption)).await;
        serde_json::from_slice(&result.data).expect("JSON")
    };
    let alice = || signal(1, "alice", None);
    let signals = vec![alice(), signal(2, "alice", None), signal(3, "bob", None)];
    let mut satisfied = resumption(SuspensionCloseReason::Satisfied, signals);
    satisfied.state = Some(payload("application/json", r#"{"at_ms": 990000}"#));
    assert_eq!(
        decided(satisfied).await,
        json!({"service": "payments", "version": "1.4.2", "decided_by": "approvers",
               "approvers": ["alice", "bob"], "took_s": 10.0})
    );
    let overridden = resumption(SuspensionCloseReason::OperatorResume, vec![]);
    let decision = decided(overridden).await;
    assert_eq!(
        (&decision["decided_by"], &decision["approvers"]),
        (&json!("operator"), &json!([]))
    );

    let input = r#"{"order": "A-17"}"#;
    let body = payload("application/json", r#"{"paid": true}"#);
    let came = vec![signal(1, "provider", Some(body.clone()))];
    let satisfied = resumption(SuspensionCloseReason::Satisfied, came);
    assert_eq!(completed("callback", input, Some(satisfied)).await, body);
    let late = resumption(SuspensionCloseReason::TimedOutAutoResume, vec![]);
    let nothing = completed("callback", input, Some(late)).await;
    let nothing: Value = serde_json::from_slice(&nothing.data).expect("JSON");
    assert_eq!(nothing, json!({"order": "A-17", "came": false}));
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_by_name() {
    for (request, name) in [
        ("empty", "flat_empty"),
        ("dangling", "flat_index_dangling"),
        ("cycle", "flat_cycle"),
        ("shared", "flat_several_parents"),
        ("deep", "condition_depth_exceeded"),
        ("huge", "condition_nodes_exceeded"),
        ("mentions", "condition_mentions_exceeded"),
        ("bindings", "waitpoints_exceeded"),
        ("binding", "waitpoint_id"),
        ("stranger", "WaitpointNotFound"),
        ("state", "state: 2097152 bytes"),
        ("never", "timeout_at"),
        ("nobody", "timeout_only_without_deadline"),
        (
            "waitpoints",
            "256: SuspendError::WaitpointLimitExceeded(256)",
        ),
    ] {
        let answer = answer(request).await;
        assert!(answer.contains(name), "{request}: {answer}");
    }
}

#[tokio::test]
async fn only_the_first_end_counts() {
    let report = run("restless", "twice", None).await;
    assert_eq!(report.outcome, AttemptEnd::Recorded);
    let log = report.log.expect("it is noted");
    assert!(log.contains("ExecutionNotActive"), "{log}");
    assert!(!log.contains("waiting_for_signal at b"), "{log}");
    let report = run("restless", "late", None).await;
    let log = report.log.expect("it is noted");
    assert!(log.contains("ExecutionNotActive"), "{log}");
    assert!(!log.contains("waiting_for_signal"), "{log}");
}

#[tokio::test]
async fn without_an_engine_nothing_is_sent() {
    for request in ["forge", "flood"] {
        let answer = answer(request).await;
        assert!(answer.contains("no engine"), "{request}: {answer}");
    }
}
