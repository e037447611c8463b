//! Executions that move between tables while they are listed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::{Block, Create, ListFilter, ListPage};
use model::{BlockingReason, ExecutionId, Partition, PublicState};
use testkit::Answered;

use crate::support::work::{claim, complete, create, created, operate, setup};

fn in_states(states: &[PublicState]) -> ListFilter {
    ListFilter {
        states: states.to_vec(),
        ..ListFilter::default()
    }
}

// One statement for each table of the state would miss an execution that moves from the
// table read second to the one read first, in between.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_moves_within_the_states_asked_for_is_on_every_list() {
    let (_database, engine) = setup().await;
    let id = created(&engine, create("x")).await;
    let done = Arc::new(AtomicBool::new(false));
    let moving = tokio::spawn({
        let (engine, done) = (engine.clone(), done.clone());
        async move {
            let mut moves = 0;
            while !done.load(Ordering::Relaxed) {
                let block = Block {
                    operate: operate(id),
                    reason: BlockingReason::PausedByOperator,
                    detail: None,
                };
                engine.block(block).await.accepted();
                engine.unblock(operate(id), None).await.accepted();
                moves += 2;
            }
            moves
        }
    });
    let waiting = in_states(&[PublicState::Waiting]);
    let elsewhere = ListFilter {
        lane: Some("default".into()),
        ..in_states(&[PublicState::Waiting, PublicState::Active])
    };
    for _ in 0..150 {
        for filter in [&waiting, &elsewhere] {
            let listed = engine.list(filter.clone(), ListPage::default()).await;
            let ids: Vec<_> = listed.answered().iter().map(|info| info.id).collect();
            assert_eq!(ids, [id], "{filter:?}");
        }
    }
    done.store(true, Ordering::Relaxed);
    let moves: u32 = moving.await.expect("no panic");
    assert!(moves > 20, "it moved {moves} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_state_show_no_execution_that_left_it_and_miss_none_that_stayed() {
    let (_database, engine) = setup().await;
    let partition = Partition::new(0).expect("zero");
    let mut ids = Vec::new();
    for n in 0..12 {
        // In the order in which they are claimed.
        let id = ExecutionId::from_parts(partition, 1_790_000_000_000 + n, n);
        ids.push(
            created(
                &engine,
                Create {
                    id: Some(id),
                    ..create("x")
                },
            )
            .await,
        );
    }
    ids.reverse();
    let waiting = in_states(&[PublicState::Waiting]);
    let mut page = ListPage {
        after: None,
        limit: 3,
    };
    let mut seen = Vec::new();
    let mut left = Vec::new();
    loop {
        let listed = engine.list(waiting.clone(), page).await.answered();
        for info in listed.iter() {
            assert_eq!(info.public_state, PublicState::Waiting);
            assert!(!left.contains(&info.id), "it had left: {info:?}");
        }
        seen.extend(listed.iter().map(|info| info.id));
        let Some(next) = listed.next() else { break };
        page.after = Some(*next);
        // The oldest are claimed first, from the end of the list.
        for claimed in claim(&engine, 1).await {
            left.push(claimed.fence.execution_id);
            engine
                .complete(complete(claimed.fence, ""))
                .await
                .accepted();
        }
    }
    let stayed: Vec<_> = ids.iter().filter(|id| !left.contains(id)).collect();
    assert!(left.len() >= 2, "{left:?}");
    assert_eq!(seen.iter().collect::<Vec<_>>(), stayed);
    let completed = engine.list(in_states(&[PublicState::Completed]), ListPage::default());
    let completed = completed.await.answered();
    left.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(
        completed.iter().map(|info| info.id).collect::<Vec<_>>(),
        left
    );
}
