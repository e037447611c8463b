//! A worker that lost its lease can write nothing: each write is refused by the reason
//! the lease ended, and leaves nothing behind.

use std::time::Duration;

use engine::{CancelHeld, Delay, Engine, Revoke, WaitFor};
use model::{EventFamily, FailureClass, Fence, LeaseRefusal};
use testkit::{Answered, Database};

use crate::support::lists::{self, events};
use crate::support::waiting::{
    create_waitpoint, deliver, signal, single, suspend, try_suspend, waitpoint,
};
use crate::support::work::{claim_one, complete, create, fail, operate, setup};

/// What happened to the lease.
#[derive(Debug, Clone, Copy)]
enum Lost {
    /// It expired, and no sweep has run yet.
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
                engine.revoke(revoke).await.accepted();
            }
            Self::Cancelled => {
                let cancel = engine::Cancel {
                    id: fence.execution_id,
                    namespace: None,
                    reason: None,
                    source: Default::default(),
                    actor: None,
                };
                engine.cancel(cancel).await.accepted();
            }
        }
        if matches!(self, Self::TakenBack | Self::Replaced | Self::Finished) {
            engine.reconcile().await.expect("swept");
        }
        if matches!(self, Self::Replaced | Self::Finished) {
            let heir = claim_one(engine).await;
            if matches!(self, Self::Finished) {
                let answer = engine.complete(complete(heir.fence, "the heir's")).await;
                answer.accepted();
            }
        }
    }
}

/// Tries everything that needs the lease, and tells how it is refused.
async fn ask(engine: &Engine, fence: Fence) -> Vec<(&'static str, Option<&'static str>)> {
    let of = |answer: Option<LeaseRefusal>| answer.map(|refusal| refusal.code());
    let renewed = engine.renew(&[fence], 30_000).await;
    let checked = engine.check(&[fence]).await;
    let progress = engine.progress(fence, Some(99), None).await;
    let completed = engine.complete(complete(fence, "late")).await;
    let failed = engine.fail(fail(fence, FailureClass::Transient)).await;
    let delay = Delay {
        fence,
        due: engine::Due::InMs(1),
        report: Default::default(),
    };
    let delayed = engine.delay(delay).await;
    let waited = engine
        .wait_children(fence, Default::default(), &WaitFor::default())
        .await;
    let released = engine.release(fence, Default::default()).await;
    let cancel = CancelHeld {
        fence,
        reason: String::new(),
        report: Default::default(),
    };
    let cancelled = engine.cancel_held(cancel).await;
    let created = engine
        .create_waitpoint(create_waitpoint(fence, "late"))
        .await;
    let created = created.answered();
    let early = engine::WaitpointRef::Key("early".to_owned());
    let closed = engine.close_held_waitpoint(fence, early).await.answered();
    let suspended = try_suspend(engine, suspend(fence, single("late", "x"))).await;
    let satisfied = try_suspend(engine, suspend(fence, single("early", "x"))).await;
    let observed = engine.observe_signals(fence, 0).await;
    vec![
        ("renew", of(renewed.answered().remove(0).err())),
        ("check", of(checked.answered().remove(0).err())),
        ("progress", of(progress.answered().err())),
        ("complete", of(completed.answered().err())),
        ("fail", of(failed.answered().err())),
        ("delay", of(delayed.answered().err())),
        (
            "wait_children",
            waited.answered().err().map(|refusal| refusal.code()),
        ),
        ("release", of(released.answered().err())),
        ("cancel", of(cancelled.answered().err())),
        (
            "create_waitpoint",
            created.err().map(|refusal| refusal.code()),
        ),
        (
            "close_waitpoint",
            closed.err().map(|refusal| refusal.code()),
        ),
        ("suspend", suspended.err().map(|refusal| refusal.code())),
        (
            "suspend, satisfied",
            satisfied.err().map(|refusal| refusal.code()),
        ),
        ("observe_signals", of(observed.answered().err())),
    ]
}

/// Counts the events so far.
async fn told(database: &Database, engine: &Engine) -> usize {
    database.events_are_readable().await;
    let mut told = 0;
    for family in EventFamily::ALL {
        told += events::all(engine, &events::of(*family)).await.len();
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_of_a_worker_that_lost_its_lease_is_refused_and_nothing_lands() {
    let mut wrong = Vec::new();
    for lost in Lost::ALL {
        let (database, engine) = setup().await;
        let created = engine.create(create("x")).await.answered();
        let id = created.expect("created").id();
        let zombie = claim_one(&engine).await.fence;
        // A signal is there that would satisfy it at once.
        let early = waitpoint(&engine, zombie, "early").await;
        deliver(&engine, signal(&early.token, "x")).await;
        lost.happen(&database, &engine, zombie).await;
        let before = engine.get(id, None).await.answered().expect("known");
        let events = told(&database, &engine).await;
        let waiting = lists::waitpoints(&engine, id).await;
        for (write, code) in ask(&engine, zombie).await {
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
        let after = engine.get(id, None).await.answered().expect("known");
        assert_eq!(after, before, "{lost:?}");
        assert_eq!(lists::waitpoints(&engine, id).await, waiting, "{lost:?}");
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
