//! Whoever lost its lease can write nothing: every write is refused by the name
//! of what happened, and nothing of it lands.

use std::time::Duration;

use engine::{CancelHeld, Delay, Engine, Revoke};
use model::{FailureClass, Fence, LeaseRefusal};
use testkit::Database;

use crate::work::{claim_one, complete, create, fail, operate, setup};

/// What happened to the lease.
#[derive(Debug, Clone, Copy)]
enum Lost {
    /// It lapsed, and nobody has noticed yet.
    Lapsed,
    /// It lapsed and was taken back.
    TakenBack,
    /// It lapsed, and another worker runs the execution.
    Replaced,
    /// An operator took it away.
    Revoked,
    /// The execution was cancelled.
    Cancelled,
    /// It lapsed, and another worker finished the execution.
    Finished,
}

impl Lost {
    const ALL: [Self; 6] = [
        Self::Lapsed,
        Self::TakenBack,
        Self::Replaced,
        Self::Revoked,
        Self::Cancelled,
        Self::Finished,
    ];

    /// Returns the code a late write is refused with: why the lease was lost,
    /// unless another worker runs the execution now.
    const fn code(self) -> &'static str {
        match self {
            Self::Lapsed | Self::TakenBack => "lease_expired",
            Self::Replaced => "stale_lease",
            Self::Revoked => "lease_revoked",
            Self::Cancelled => "execution_not_active",
            // It lapsed before the execution ended.
            Self::Finished => "lease_expired",
        }
    }

    async fn happen(self, database: &Database, engine: &Engine, fence: Fence) {
        match self {
            Self::Lapsed | Self::TakenBack | Self::Replaced | Self::Finished => {
                database.advance(Duration::from_secs(31)).await;
            }
            Self::Revoked => {
                let revoke = Revoke {
                    operate: operate(fence.execution_id),
                    expected_lease_id: None,
                };
                engine
                    .revoke(revoke)
                    .await
                    .expect("asked")
                    .expect("revoked");
            }
            Self::Cancelled => {
                let cancel = engine::Cancel {
                    id: fence.execution_id,
                    namespace: None,
                    reason: None,
                    source: Default::default(),
                    actor: None,
                };
                engine
                    .cancel(cancel)
                    .await
                    .expect("asked")
                    .expect("cancelled");
            }
        }
        if matches!(self, Self::TakenBack | Self::Replaced | Self::Finished) {
            engine.reconcile().await.expect("swept");
        }
        if matches!(self, Self::Replaced | Self::Finished) {
            let heir = claim_one(engine).await;
            if matches!(self, Self::Finished) {
                let answer = engine.complete(complete(heir.fence, "the heir's")).await;
                answer.expect("asked").expect("completed");
            }
        }
    }
}

/// Tries every write under a fence.
async fn writes(engine: &Engine, fence: Fence) -> Vec<(&'static str, Option<LeaseRefusal>)> {
    let delay = Delay {
        fence,
        delay_ms: 1,
        report: Default::default(),
    };
    let cancel = CancelHeld {
        fence,
        reason: String::new(),
        report: Default::default(),
    };
    let renewed = engine
        .renew(&[fence], 30_000)
        .await
        .expect("asked")
        .remove(0);
    let checked = engine.check(&[fence]).await.expect("asked").remove(0);
    vec![
        ("renew", renewed.err()),
        ("check", checked.err()),
        (
            "progress",
            engine
                .progress(fence, Some(99), None)
                .await
                .expect("asked")
                .err(),
        ),
        (
            "complete",
            engine
                .complete(complete(fence, "late"))
                .await
                .expect("asked")
                .err(),
        ),
        (
            "fail",
            engine
                .fail(fail(fence, FailureClass::Transient))
                .await
                .expect("asked")
                .err(),
        ),
        ("delay", engine.delay(delay).await.expect("asked").err()),
        (
            "wait_children",
            engine
                .wait_children(fence, Default::default())
                .await
                .expect("asked")
                .err(),
        ),
        (
            "release",
            engine
                .release(fence, Default::default())
                .await
                .expect("asked")
                .err(),
        ),
        (
            "cancel",
            engine.cancel_held(cancel).await.expect("asked").err(),
        ),
    ]
}

/// Counts the events so far.
async fn told(database: &Database, engine: &Engine) -> usize {
    database.events_are_readable().await;
    let events = engine.events(None, 1000).await.expect("asked");
    events.expect("read").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_of_a_worker_that_lost_its_lease_is_refused_and_nothing_lands() {
    let mut wrong = Vec::new();
    for lost in Lost::ALL {
        let (database, engine) = setup().await;
        let created = engine.create(create("x")).await.expect("asked");
        let id = created.expect("created").id();
        let zombie = claim_one(&engine).await.fence;
        lost.happen(&database, &engine, zombie).await;
        let before = engine.get(id, None).await.expect("asked").expect("known");
        let events = told(&database, &engine).await;
        for (write, refused) in writes(&engine, zombie).await {
            let code = refused.as_ref().map(LeaseRefusal::code);
            // What it wants has happened to its very lease: a repeat, in effect.
            if matches!((lost, write), (Lost::Cancelled, "cancel")) && code.is_none() {
                continue;
            }
            if code != Some(lost.code()) {
                wrong.push(format!(
                    "{lost:?}: {write} got {code:?}, not {}",
                    lost.code()
                ));
            }
        }
        let after = engine.get(id, None).await.expect("asked").expect("known");
        assert_eq!(after, before, "{lost:?}");
        assert_eq!(
            told(&database, &engine).await,
            events,
            "{lost:?}: nothing is told of"
        );
        database.assert_invariants().await;
        engine.close().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
