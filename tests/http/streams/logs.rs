//! The log of an attempt over HTTP: while it runs, and afterwards.

use std::time::Duration;

use model::Fence;
use serde_json::{Value, json};

use crate::http::events::stream::Stream;
use crate::support::api::{Api, builder, code, text};
use crate::support::work::{claim_one, create, created, setup};

async fn log(api: &Api, id: &str, query: &str) -> Value {
    let (status, page) = api
        .get(&format!("/v1/executions/{id}/attempts/0/log{query}"))
        .await;
    assert_eq!(status, 200, "{page}");
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_while_it_is_written_and_read_to_its_end_afterwards() {
    let (database, engine) = setup().await;
    let api = Api::start(builder(&database), &[]).await;
    let id = created(&engine, create("x")).await.to_string();
    let fence: Fence = claim_one(&engine).await.fence;
    let empty = log(&api, &id, "").await;
    assert_eq!(
        (&empty["text"], &empty["more"]),
        (&json!(""), &json!(false))
    );
    let url = format!("{}/v1/executions/{id}/attempts/0/log/tail", api.host.url());
    let mut stream = Stream::open(&api.client, url.clone(), None, None).await;
    let write = async |offset: usize, text: &str| {
        let appended = engine.append_log(fence, offset as u64, text.as_bytes().to_vec());
        testkit::Answered::accepted(appended.await);
    };
    write(0, "one\n").await;
    let first = stream.messages(1).await.remove(0);
    assert_eq!(first.event.as_deref(), Some("log"), "{first:?}");
    assert_eq!(first.data["text"], "one\n");
    let after = first.id.expect("an id");
    assert_eq!(first.data["cursor"], after.as_str());
    let poll = format!("/tail?after={after}&wait_ms=30000");
    let (page, ()) = tokio::join!(log(&api, &id, &poll), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        write(4, "größe\n").await;
    });
    assert_eq!(page["text"], "größe\n", "{page}");
    drop(stream);
    let mut stream = Stream::open(&api.client, url, None, Some(&after)).await;
    assert_eq!(stream.messages(1).await[0].data["text"], "größe\n");
    // Its end records the whole log: what follows is read from there.
    let whole = "one\ngröße\nthree\n";
    let mut complete = crate::support::work::complete(fence, "done");
    complete.report.log = Some(whole.as_bytes().to_vec());
    testkit::Answered::accepted(engine.complete(complete).await);
    let messages = stream.messages(2).await;
    assert_eq!(messages[0].data["text"], "three\n");
    assert_eq!(messages[1].event.as_deref(), Some("closed"));
    assert_eq!(messages[1].data["closed_reason"], "attempt_success");
    assert!(stream.next().await.is_none());
    let page = log(&api, &id, "").await;
    assert_eq!(page["text"], whole);
    assert_eq!(page["closed_reason"], "attempt_success");
    let page = log(
        &api,
        &id,
        &format!("/tail?after={}&wait_ms=30000", text(&page["cursor"])),
    )
    .await;
    assert_eq!((&page["text"], &page["more"]), (&json!(""), &json!(false)));
    let next = format!("/v1/executions/{id}/attempts/1/log");
    assert_eq!(code(&api.get(&next).await), (404, "attempt_not_found"));
}
