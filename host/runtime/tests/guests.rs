//! The sandbox against the guest examples, well-behaved and hostile, through
//! `invoke`: each bound ends the attempt under its own name.

use engine::Payload;
use model::FailureClass;
use runtime::{AttemptEnd, InvokeRefusal, InvokeReport, InvokeSettings, invoke};

fn text(data: &str) -> Payload {
    Payload {
        content_type: "text/plain".into(),
        data: data.as_bytes().to_vec(),
    }
}

async fn run(name: &str, input: &str, settings: InvokeSettings) -> InvokeReport {
    let report = invoke(settings, &testkit::guest(name), name, text(input))
        .await
        .expect("the sandbox can be set up")
        .unwrap_or_else(|refusal| panic!("{name} is refused: {refusal}"));
    println!(
        "{name}: {:?} {:?}\n{}",
        report.outcome,
        report.usage,
        report.log.as_deref().unwrap_or("")
    );
    report
}

async fn failure(name: &str, input: &str, settings: InvokeSettings) -> model::Failure {
    match run(name, input, settings).await.outcome {
        AttemptEnd::Failed(failure) | AttemptEnd::TimedOut(failure) => failure,
        other => panic!("{name} did not fail: {other:?}"),
    }
}

fn short_of_cpu() -> InvokeSettings {
    let mut settings = InvokeSettings::default();
    settings.sandbox.cpu_ms_max = 100;
    settings
}

#[tokio::test]
async fn a_handler_returns_its_result_and_is_metered() {
    let report = run("echo", "hello", InvokeSettings::default()).await;
    assert_eq!(report.outcome, AttemptEnd::Completed(text("hello")));
    assert!(report.usage.memory_peak_bytes > 0);
    assert!(report.usage.wall_us > 0);
}

#[tokio::test]
async fn an_interpreted_handler_runs_as_well() {
    let report = run("word-count", "a b a", InvokeSettings::default()).await;
    assert!(
        matches!(report.outcome, AttemptEnd::Completed(_)),
        "{:?}",
        report.outcome
    );
}

#[tokio::test]
async fn a_guest_that_computes_without_end_is_stopped() {
    let failure = failure("spinner", "", short_of_cpu()).await;
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (FailureClass::Timeout, "cpu_limit")
    );
}

#[tokio::test]
async fn a_time_limit_stops_a_guest_that_computes() {
    let settings = InvokeSettings {
        attempt_timeout_ms: Some(50),
        ..InvokeSettings::default()
    };
    let failure = failure("spinner", "", settings).await;
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (FailureClass::Timeout, "attempt_timeout")
    );
}

#[tokio::test]
async fn a_time_limit_stops_a_guest_that_waits_in_the_host() {
    let settings = InvokeSettings {
        attempt_timeout_ms: Some(50),
        ..short_of_cpu()
    };
    let failure = failure("slow", "60000", settings).await;
    assert_eq!(failure.code, "attempt_timeout", "{}", failure.message);
}

#[tokio::test]
async fn a_guest_that_hoards_memory_is_stopped() {
    let failure = failure("memory-hog", "", InvokeSettings::default()).await;
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (FailureClass::Permanent, "memory_limit")
    );
}

#[tokio::test]
async fn a_trap_carries_its_backtrace_and_standard_error() {
    let failure = failure("trapper", "panic", InvokeSettings::default()).await;
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (FailureClass::Transient, "guest_trap")
    );
    assert!(
        failure.message.contains("asked to panic"),
        "{}",
        failure.message
    );
    let backtrace = failure.backtrace.expect("a trap has frames");
    assert!(backtrace.contains("trapper"), "{backtrace}");
    assert!(backtrace.len() <= model::Limits::BACKTRACE_BYTES_MAX);
}

#[tokio::test]
async fn a_stack_overflow_is_told_apart_from_other_traps() {
    let failure = failure("deep-recursion", "", InvokeSettings::default()).await;
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (FailureClass::Permanent, "stack_overflow")
    );
}

#[tokio::test]
async fn a_result_above_any_of_the_bounds_is_refused() {
    for bytes in ["2097152", "8388608"] {
        let failure = failure("giant-result", bytes, InvokeSettings::default()).await;
        assert_eq!(failure.code, "result_too_large", "{}", failure.message);
    }
}

#[tokio::test]
async fn a_guest_that_hoards_handles_is_stopped() {
    let failure = failure("handle-hoard", "", InvokeSettings::default()).await;
    assert_eq!(
        (failure.class, failure.code.as_str()),
        (FailureClass::Permanent, "handle_limit")
    );
}

#[tokio::test]
async fn a_flood_of_log_records_is_cut_and_counted() {
    let report = run("log-flood", "", InvokeSettings::default()).await;
    let log = report.log.expect("it logged");
    assert!(log.len() <= 65 * 1024, "{}", log.len());
    assert!(
        log.trim_end().ends_with("were dropped"),
        "{}",
        &log[log.len() - 200..]
    );
}

#[tokio::test]
async fn a_component_of_another_world_is_refused_by_name() {
    let wasm = testkit::guest("wrong-world");
    let refusal = invoke(InvokeSettings::default(), &wasm, "x", text(""))
        .await
        .expect("the sandbox can be set up")
        .expect_err("it does not fit");
    let InvokeRefusal::Component(refusal) = refusal else {
        panic!("{refusal}");
    };
    assert!(
        matches!(refusal.code(), "component_imports" | "component_exports"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_service_is_not_invoked_and_the_refusal_explains_how_to_run_it() {
    let refusal = invoke(
        InvokeSettings::default(),
        &testkit::guest("spelling"),
        "spelling",
        text(""),
    )
    .await
    .expect("the sandbox can be set up")
    .expect_err("there is nothing to claim");
    assert_eq!(refusal, InvokeRefusal::Service);
    assert!(
        refusal.to_string().contains("flowhost component publish"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_handler_has_nothing_to_claim() {
    let report = run("impostor", "", InvokeSettings::default()).await;
    let AttemptEnd::Completed(answer) = report.outcome else {
        panic!("{:?}", report.outcome);
    };
    let answer = String::from_utf8(answer.data).expect("text");
    assert!(answer.contains("a handler claims nothing"), "{answer}");
}

#[tokio::test]
async fn what_a_handler_streams_is_noted_and_its_summary_kept() {
    let order = r#"{"subject": "x", "words": 30, "words_per_s": 1000, "wait_after": 1}"#;
    let report = run("narrator", order, InvokeSettings::default()).await;
    // It waits after its first sentence, and the next run knows nothing of this one.
    assert!(report.suspension.is_some(), "{:?}", report.outcome);
    let log = report.log.expect("a log");
    assert!(log.contains("frame  word "), "{log}");
    assert!(log.contains("frame  told {\"words\":"), "{log}");

    let settings = || {
        let mut settings = InvokeSettings::default();
        settings.sandbox.stream_frames_max = 3;
        settings
    };
    let failure = failure("narrator", order, settings()).await;
    assert_eq!(failure.code, "not_appended");
    let named = failure.message.contains("sandbox.stream_frames_max");
    assert!(named, "{}", failure.message);
    let report = run("stream-flood", "deep 17", settings()).await;
    let refused = text("0 Some(StreamError::PatchDepthExceeded(16))");
    assert_eq!(report.outcome, AttemptEnd::Completed(refused));
}
