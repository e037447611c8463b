//! Summary documents: merged one patch after the other, also from several hosts.

use engine::{Engine, StreamSummary};
use model::{AppendRefusal, Fence};
use serde_json::{Value, json};
use testkit::Answered;

use super::frames::{append, patch, read, refused, texts};
use crate::support::waiting::running;
use crate::support::work::{completed, setup};

async fn summary(engine: &Engine, fence: Fence) -> Option<StreamSummary> {
    let read = engine
        .read_summary(fence.execution_id, fence.attempt, None)
        .await;
    read.accepted()
}

async fn document(engine: &Engine, fence: Fence) -> (Value, u64) {
    let summary = summary(engine, fence).await.expect("a summary");
    let document = serde_json::from_slice(&summary.document_json).expect("JSON");
    (document, summary.version)
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_make_a_document_and_are_frames_too() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    assert_eq!(summary(&engine, fence).await, None);
    for (n, json) in [
        r#"{"title":"a","done":false,"parts":{"one":[1,2],"two":2}}"#,
        r#"{"done":true,"parts":{"two":null,"three":"__ff_null__"}}"#,
        "{\"text\":\"nul \\u0000 here\",\"big\":123456789012345678901234567890}",
    ]
    .into_iter()
    .enumerate()
    {
        let appended = append(&engine, fence, patch(json)).await;
        assert_eq!(appended.summary_version, Some(n as u64 + 1));
    }
    let (document, version) = document(&engine, fence).await;
    assert_eq!(version, 3);
    assert_eq!(document["parts"], json!({"one": [1, 2], "three": null}));
    assert_eq!(
        (&document["done"], &document["text"]),
        (&json!(true), &json!("nul \0 here"))
    );
    let told = summary(&engine, fence).await.expect("a summary");
    let text = String::from_utf8(told.document_json.clone()).expect("text");
    assert!(text.contains("123456789012345678901234567890"), "{text}");
    assert!(told.first_applied_at < told.last_updated_at);
    completed(&engine, fence).await;
    let page = read(&engine, fence.execution_id, 0).await;
    assert_eq!(page.frames.len(), 3);
    let versions: Vec<_> = page
        .frames
        .iter()
        .map(|frame| frame.summary_version)
        .collect();
    assert_eq!(versions, [Some(1), Some(2), Some(3)]);
    assert_eq!(summary(&engine, fence).await, Some(told), "it stays");
    let elsewhere = engine
        .read_summary(fence.execution_id, 0, Some("blue"))
        .await;
    assert_eq!(elsewhere.refused().code(), "execution_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_of_two_hosts_are_all_merged_and_versions_have_no_gap() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    let fence = running(&engine).await.fence;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let engine = if writer % 2 == 0 {
                engine.clone()
            } else {
                other.clone()
            };
            tokio::spawn(async move {
                let mut versions = Vec::new();
                for n in 0..25 {
                    let json = json!({ format!("w{writer}"): { format!("n{n}"): n }, "last": n });
                    let appended = append(&engine, fence, patch(&json.to_string())).await;
                    versions.push(appended.summary_version.expect("a patch"));
                }
                versions
            })
        })
        .collect();
    let mut versions = Vec::new();
    for writer in writers {
        let of_one = writer.await.expect("wrote");
        assert!(of_one.is_sorted());
        versions.extend(of_one);
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=100).collect::<Vec<_>>());
    let (document, version) = document(&engine, fence).await;
    assert_eq!(version, 100);
    for writer in 0..4 {
        let of_one = document[format!("w{writer}")]
            .as_object()
            .expect("an object");
        assert_eq!(of_one.len(), 25, "no patch is lost");
    }
    // The frames that are left make the rest of the document, in the order of versions.
    let page = read(&engine, fence.execution_id, 0).await;
    let kept: Vec<_> = page
        .frames
        .iter()
        .map(|frame| frame.summary_version)
        .collect();
    assert_eq!(
        kept,
        (37..=100).map(Some).collect::<Vec<_>>(),
        "64 are kept"
    );
    let last: Value = serde_json::from_str(&texts(&page)[63]).expect("JSON");
    assert_eq!(document["last"], last["last"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_stays_within_its_bound() {
    let (_database, engine) = setup().await;
    let fence = running(&engine).await.fence;
    let large = |name: &str| patch(&json!({ name: "x".repeat(65_000) }).to_string());
    for name in ["a", "b", "c", "d"] {
        append(&engine, fence, large(name)).await;
    }
    let refusal = refused(&engine, fence, large("e")).await;
    assert_eq!(
        refusal,
        AppendRefusal::RetentionLimitExceeded {
            field: "summary",
            bytes: 5 * 65_007 + 1,
            max: 256 << 10
        }
    );
    let appended = append(&engine, fence, patch(r#"{"a":null,"b":1}"#)).await;
    assert_eq!(
        appended.summary_version,
        Some(5),
        "the refused one counts for nothing"
    );
    append(&engine, fence, large("e")).await;
    let (document, version) = document(&engine, fence).await;
    assert_eq!(version, 6);
    assert_eq!(document.as_object().map(|it| it.len()), Some(4));
}
