//! Ranges of a stream, page by page.

use serde_json::json;

use super::work::{append, append_many, ids, payloads, read};
use crate::support::api::text;
use crate::support::http_waiting::held;
use crate::support::http_work::{complete, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_range_has_both_of_its_ends_and_is_read_page_by_page() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let words: Vec<_> = (0..25).map(|n| n.to_string()).collect();
    let all = append_many(&api, &lease, &words).await;
    let range = read(&api, &id, &format!("?from={}&to={}", all[3], all[5])).await;
    assert_eq!(ids(&range), all[3..=5]);
    let mut from = "start".to_owned();
    let mut read_so = Vec::new();
    loop {
        let query = format!("?from={from}&to={}&limit=10", all[23]);
        let page = read(&api, &id, &query).await;
        assert!(ids(&page).len() <= 10, "{page}");
        read_so.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => from = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(read_so, all[..=23]);
    for (query, found) in [
        ("?from=0", 25),
        ("?from=0-0&to=end", 25),
        ("?to=0", 0),
        ("?from=end", 0),
        ("?to=start", 0),
        ("?from=99999999999999999999", 0),
        ("?to=99999999999999999999-99999999999999999999", 25),
    ] {
        assert_eq!(read(&api, &id, query).await["count"], found, "{query}");
    }
    // A time alone is the whole of that millisecond.
    let ms = all[0].split('-').next().expect("milliseconds").to_owned();
    let within = read(&api, &id, &format!("?from={ms}&to={ms}")).await;
    let begins = |id: &&String| id.starts_with(&format!("{ms}-"));
    assert_eq!(ids(&within).len(), all.iter().filter(begins).count());
    complete(&api, &lease).await;
    let closed = read(&api, &id, "?limit=25").await;
    assert_eq!(closed["closed_reason"], "attempt_success", "{closed}");
    assert!(closed["closed_at"].is_string(), "{closed}");
    assert_eq!(closed["next_cursor"], json!(null), "nothing follows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_ends_after_four_mebibytes() {
    let (_database, api) = start().await;
    let (id, lease) = held(&api, json!({})).await;
    let big = json!({"max_payload_bytes": 1 << 20});
    for n in 0..6 {
        let payload = n.to_string().repeat(1 << 20);
        append(&api, &lease, &payload, big.clone()).await;
    }
    let mut read_so = Vec::new();
    let mut from = "start".to_owned();
    let mut pages = 0;
    loop {
        let page = read(&api, &id, &format!("?from={from}&limit=10000")).await;
        let payloads = payloads(&page);
        assert!(payloads.len() <= 5, "{} frames", payloads.len());
        read_so.extend(payloads.iter().map(|it| it[..1].to_owned()));
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => from = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(read_so.concat(), "012345");
    assert!(pages >= 2, "{pages} pages");
    let tail = read(&api, &id, "/tail?limit=10000").await;
    let next = text(&tail["next_cursor"]);
    let rest = read(&api, &id, &format!("/tail?after={next}&limit=10000")).await;
    let both = [payloads(&tail), payloads(&rest)].concat();
    assert_eq!(both.len(), 6);
    assert_eq!(rest["next_cursor"], json!(null));
}
