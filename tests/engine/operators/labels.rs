//! Labels, and which executions an operator finds.

use std::collections::BTreeMap;

use engine::{Block, ListFilter, ListPage, Revoke};
use model::{BlockingReason, Limits, SuspensionReason};
use testkit::Answered;

use crate::support::waiting::{single, suspend, suspended};
use crate::support::work::{claim_one, complete, create, created, operate, operation_verbs, setup};

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_set_and_removed_in_any_state() {
    let (database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let tags = |pairs: &[(&str, Option<&str>)]| -> BTreeMap<String, Option<String>> {
        let owned = pairs
            .iter()
            .map(|(k, v)| (k.to_string(), v.map(str::to_owned)));
        owned.collect()
    };
    let set = engine.tag(
        operate(id),
        tags(&[("app.a", Some("1")), ("app.b", Some("2"))]),
    );
    set.await.accepted();
    let claimed = claim_one(&engine).await;
    assert_eq!(claimed.tags.len(), 2, "a worker sees them");
    let answer = engine.complete(complete(claimed.fence, "done")).await;
    answer.accepted();
    let set = engine.tag(operate(id), tags(&[("app.a", None), ("app.b", Some("3"))]));
    set.await.accepted();
    let filter = ListFilter {
        tag: Some(("app.b".to_owned(), "3".to_owned())),
        ..Default::default()
    };
    let found = engine.list(filter, ListPage::default()).await.answered();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].tags,
        BTreeMap::from([("app.b".to_owned(), "3".to_owned())])
    );

    let wrong = engine.tag(operate(id), tags(&[("App", Some("1"))])).await;
    assert_eq!(wrong.refused().code(), "invalid_tag_key");
    let many: BTreeMap<_, _> = (0..Limits::TAGS_MAX)
        .map(|n| (format!("many.n{n}"), Some("x".to_owned())))
        .collect();
    let wrong = engine.tag(operate(id), many).await;
    assert_eq!(wrong.refused().code(), "invalid_input");
    let info = engine.get(id, None).await.answered().expect("known");
    assert_eq!(info.tags.len(), 1, "a refused change changes nothing");
    assert_eq!(operation_verbs(&engine, id).await, ["tag", "tag"]);
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_of_another_namespace_find_nothing() {
    let (_database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let elsewhere = || engine::Operate {
        namespace: Some("elsewhere".to_owned()),
        ..operate(id)
    };
    let block = Block {
        operate: elsewhere(),
        reason: BlockingReason::PausedByOperator,
        detail: None,
    };
    let revoke = Revoke {
        operate: elsewhere(),
        expected_lease_id: None,
    };
    let codes = [
        engine.replay(elsewhere()).await.answered().err(),
        engine
            .expire(elsewhere(), Default::default())
            .await
            .answered()
            .err(),
        engine.prioritize(elsewhere(), 1).await.answered().err(),
        engine.unblock(elsewhere(), None).await.answered().err(),
        engine.block(block).await.answered().err(),
        engine.revoke(revoke).await.answered().err(),
    ];
    for code in codes {
        assert_eq!(code.expect("refused").code(), "execution_not_found");
    }
    assert!(operation_verbs(&engine, id).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_executions_are_listed_longest_wait_first() {
    let (_database, engine) = setup().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(created(&engine, create("x")).await);
        let request = engine::Suspend {
            reason: SuspensionReason::WaitingForApproval,
            ..suspend(claim_one(&engine).await.fence, single("door", "open"))
        };
        suspended(&engine, request).await;
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = engine.list_suspended(Some("default"), after, 2).await;
        let page = page.answered();
        let Some(last) = page.last() else { break };
        assert_eq!(last.blocking_reason, BlockingReason::WaitingForApproval);
        after = Some((last.suspended_at, last.execution_id));
        listed.extend(page.into_iter().map(|one| one.execution_id));
    }
    assert_eq!(listed, ids);
    let elsewhere = engine.list_suspended(Some("elsewhere"), None, 2).await;
    assert!(elsewhere.answered().is_empty());
}
