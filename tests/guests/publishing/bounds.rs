//! Components that are refused, or would cost the host too much.

use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::{HandmadeComponent, Run, database, eventually};

use super::compiler::Scripted;
use crate::support::api::{Api, builder, once};
use crate::support::memory::resident_peak_bytes;

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_of_another_type_is_refused_when_it_is_published() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    for run in [Run::OtherResult, Run::OneFieldMore, Run::OtherName] {
        let component = HandmadeComponent {
            run,
            ..HandmadeComponent::default()
        };
        let (status, problem) = api.publish(component.build(), "wrong").await;
        assert_eq!(
            status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{run:?}: {problem}"
        );
        assert_eq!(problem["code"], "component_does_not_link", "{problem}");
        let detail = problem["detail"].as_str().expect("text");
        assert!(detail.contains("`run`"), "{detail}");
    }
    let (status, right) = api
        .publish(HandmadeComponent::default().build(), "right")
        .await;
    assert!(status.is_success(), "{right}");
    assert_eq!(
        api.run(once("right", "x")).await["public_state"],
        "completed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_cannot_fill_the_memory_of_the_host() {
    let database = database().await;
    let api = Api::start(builder(&database), &["echo"]).await;
    let before = resident_peak_bytes(api.host.pid());
    let component = HandmadeComponent {
        instances: vec![256; 120],
        far_data: true,
        ..HandmadeComponent::default()
    };
    let bytes = component.build();
    assert!(bytes.len() < 10_000, "{} bytes", bytes.len());
    let (status, problem) = api.publish(bytes, "wide").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["code"], "component_exceeds_limits", "{problem}");
    let grown = resident_peak_bytes(api.host.pid()) - before;
    assert!(grown < 200 << 20, "{grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_beyond_the_limits_is_refused_in_little_memory() {
    let database = database().await;
    let api = Api::start(builder(&database), &[]).await;
    let before = resident_peak_bytes(api.host.pid());
    // Sections of imports of an instance of type 0, called `a`, to the limit.
    let count = 6_000_000_u32;
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    bytes.extend([0x07, 0x03, 0x01, 0x42, 0x00, 0x0a]);
    let leb = |mut value: u32| {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let head = leb(count);
    bytes.extend(leb(u32::try_from(head.len()).expect("few") + 5 * count));
    bytes.extend(head);
    for _ in 0..count {
        bytes.extend([0x00, 0x01, b'a', 0x05, 0x00]);
    }
    let (status, problem) = api.publish(bytes, "wide").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = problem.to_string();
    assert!(text.len() < 1000, "{} bytes", text.len());
    assert_eq!(problem["code"], "component_exceeds_limits", "{problem}");
    let grown = resident_peak_bytes(api.host.pid()) - before;
    assert!(grown < 200 << 20, "{grown} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn compiled_code_stays_within_its_budgets_and_what_finds_no_room_waits() {
    let database = database().await;
    // Different bytes that compile to the same code.
    let of = |n: usize| {
        let component = HandmadeComponent {
            padding: n,
            ..HandmadeComponent::default()
        };
        component.build()
    };
    let host = Scripted::start(&database, "", |_| {}).await;
    let response = host.publish(of(0), "", "wait=60").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let bytes = host.metric("flowhost_code_loaded_bytes").await;
    host.stop().await;
    // Two find room.
    let bytes_max = (bytes * 2.5) as u64;
    let host = Scripted::start(&database, "", |config| {
        config.runtime.compiled_bytes_max = bytes as u64 + 1000;
        config.runtime.loaded_bytes_max = bytes_max;
        config.runtime.cache_bytes_max = bytes_max;
    })
    .await;
    let bytes_max = bytes_max as f64;
    for n in 1..=5 {
        let response = host.publish(of(n), "", "wait=60").await;
        assert_eq!(response.status(), StatusCode::CREATED, "{n}");
        assert!(host.metric("flowhost_code_loaded_bytes").await <= bytes_max);
        assert!(host.metric("flowhost_code_cached_bytes").await <= bytes_max);
    }
    // Routed, they are held, until one finds no room.
    let mut kinds = Vec::new();
    for n in 1..=5 {
        let kind = format!("kind-{n}");
        let response = host
            .publish(of(n), &format!("?kind={kind}"), "wait=60")
            .await;
        assert_eq!(response.status(), StatusCode::OK, "{kind}");
        kinds.push(kind);
    }
    let missing = eventually("some find no room", async || {
        let missing = host.metric("flowhost_components_unavailable").await;
        let loaded = host.metric("flowhost_components_loaded").await;
        (missing + loaded == 5.0).then_some(missing)
    })
    .await;
    assert_eq!(missing, 3.0);
    assert!(host.metric("flowhost_code_loaded_bytes").await <= bytes_max);
    // Those that wait run once others are routed away.
    for kind in &kinds[..4] {
        let url = format!("{}/v1/kinds/{kind}/routes", host.host().url());
        let request = host.client.request(Method::PUT, url);
        let response = request.json(&json!({"routes": []})).send().await;
        assert!(response.expect("answers").status().is_success());
    }
    assert_eq!(host.run(&kinds[4]).await["state"], "completed");
    host.stop().await;
}
