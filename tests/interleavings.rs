//! Pairs of verbs that meet on one execution: whatever the order of their
//! statements, both answers and what becomes of the execution are as if one had
//! come after the other.
//!
//! Two engines ask at the same time, so that nothing rides together. Four
//! schedules are forced on the server for each ordered pair:
//!
//! - *behind a lock*: the rows of the execution are locked; both statements have
//!   begun, with their snapshots, before either can change anything;
//! - *before the commit*: the first has done its work and is stopped just before
//!   it commits; the second begins then;
//! - *after the reading*: both have read what they decide on; the first has
//!   committed when the statement of the second begins;
//! - *together*: both at once, as they come.

mod ask;
mod schedules;

use std::time::Duration;

use engine::{Suspend, SuspensionTimeout};
use model::TimeoutBehavior;

use self::ask::Ask;
use self::schedules::Rig;
use crate::waiting::{single, suspend, suspended};
use crate::work::{claim_one, create, operate, setup};

/// Where an execution is when two verbs meet on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Waiting,
    Blocked,
    /// Delayed, and due.
    Due,
    Children,
    Active,
    /// Active under a lease that has lapsed.
    Lapsed,
    Terminal,
    /// Active, with a pending waitpoint that has heard the first of two sources.
    Early,
    /// Suspended until one signal.
    Suspended,
    /// Suspended until a second source; its time has passed.
    Overdue(TimeoutBehavior),
}

impl Place {
    /// Returns what meets there: verbs that change something and one that
    /// must not.
    fn asks(self) -> &'static [Ask] {
        match self {
            Self::Waiting => &[
                Ask::Claim,
                Ask::Cancel,
                Ask::Expire,
                Ask::Prioritise,
                Ask::Block,
                Ask::Unblock,
            ],
            Self::Blocked | Self::Children => &[
                Ask::Unblock,
                Ask::Cancel,
                Ask::Expire,
                Ask::Prioritise,
                Ask::Claim,
            ],
            Self::Due => &[
                Ask::Promote,
                Ask::Cancel,
                Ask::Expire,
                Ask::Prioritise,
                Ask::Claim,
            ],
            Self::Active => &[
                Ask::Renew,
                Ask::Progress,
                Ask::Complete,
                Ask::Fail,
                Ask::Delay,
                Ask::WaitChildren,
                Ask::Cancel,
                Ask::Expire,
                Ask::Revoke,
                Ask::Claim,
                Ask::SuspendFresh,
                Ask::SuspendKeyed,
                Ask::CreateWaitpoint,
            ],
            Self::Lapsed => &[
                Ask::Reclaim,
                Ask::Complete,
                Ask::Renew,
                Ask::Cancel,
                Ask::Revoke,
                Ask::SuspendFresh,
                Ask::CreateWaitpoint,
            ],
            Self::Terminal => &[Ask::Replay, Ask::Cancel, Ask::Claim, Ask::Complete],
            Self::Early => &[
                Ask::SuspendFresh,
                Ask::SuspendKeyed,
                Ask::SuspendPending,
                Ask::CreateWaitpoint,
                Ask::Hint,
                Ask::Signal,
                Ask::CloseWaitpoint,
                Ask::Renew,
                Ask::Complete,
                Ask::Cancel,
            ],
            Self::Suspended => &[
                Ask::Hint,
                Ask::Signal,
                Ask::Resume,
                Ask::CloseWaitpoint,
                Ask::Cancel,
                Ask::Expire,
                Ask::Prioritise,
                Ask::Claim,
            ],
            Self::Overdue(_) => &[
                Ask::Timeout,
                Ask::Hint,
                Ask::Signal,
                Ask::Resume,
                Ask::CloseWaitpoint,
                Ask::Cancel,
            ],
        }
    }
}

async fn meet(places: &[Place]) {
    let mut rig = Rig::new().await;
    let mut wrong = Vec::new();
    for &place in places {
        for &first in place.asks() {
            for &second in place.asks() {
                let allowed = rig.allowed(place, first, second).await;
                let came = [
                    (
                        "behind a lock",
                        rig.behind_a_lock(place, first, second).await,
                    ),
                    (
                        "before the commit",
                        rig.before_the_commit(place, first, second).await,
                    ),
                    (
                        "after the reading",
                        rig.after_the_reading(place, first, second).await,
                    ),
                    ("together", rig.together(place, first, second).await),
                ];
                for (schedule, outcome) in came {
                    if !allowed.contains(&outcome) {
                        wrong.push(format!(
                            "{place:?}: {first:?} and {second:?}, {schedule}:\n  {outcome:?}\n  is none of {allowed:#?}"
                        ));
                    }
                }
            }
        }
        rig.database.assert_invariants().await;
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_that_meet_on_an_execution_that_waits_leave_one_order() {
    meet(&[Place::Waiting, Place::Blocked, Place::Children, Place::Due]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_that_meet_on_an_execution_that_runs_leave_one_order() {
    meet(&[Place::Active]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_that_meet_on_an_execution_that_ended_or_was_lost_leave_one_order() {
    meet(&[Place::Lapsed, Place::Terminal]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_that_meet_at_a_waitpoint_that_was_heard_early_leave_one_order() {
    meet(&[Place::Early]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_that_meet_on_an_execution_that_is_suspended_leave_one_order() {
    meet(&[
        Place::Suspended,
        Place::Overdue(TimeoutBehavior::Fail),
        Place::Overdue(TimeoutBehavior::AutoResumeWithTimeoutSignal),
    ])
    .await;
}

/// A sweep finds a suspension whose time has passed; before it writes, that one
/// ends and the next one of the execution is overdue as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_that_comes_late_ends_no_other_suspension() {
    let (database, engine) = setup().await;
    let mut connection = database.connection().await;
    let timed = |fence| Suspend {
        timeout: Some(SuspensionTimeout::InMs(60_000)),
        ..suspend(fence, single("door", "open"))
    };
    let created = engine.create(create("x")).await.expect("asked");
    let id = created.expect("created").id();
    let first = suspended(&engine, timed(claim_one(&engine).await.fence)).await;
    let resumed = engine.resume(operate(id), None).await;
    resumed.expect("asked").expect("resumed");
    let second = suspended(&engine, timed(claim_one(&engine).await.fence)).await;
    database.advance(Duration::from_secs(61)).await;
    for (suspension, ends) in [(first.id, 0), (second.id, 1)] {
        let finish = include_str!("../host/engine/src/execution/finish.sql");
        let ended = sqlx::query(finish)
            .bind(0_i16)
            .bind([id.uuid()])
            .bind(["expired"])
            .bind(["failed"])
            .bind(["suspension_timeout"])
            .bind([None::<&str>])
            .bind([None::<&str>])
            .bind(["failed"])
            .bind([false])
            .bind([None::<&str>])
            .bind([None::<&str>])
            .bind([suspension.0])
            .bind(["timeout"])
            .fetch_all(&mut connection)
            .await
            .expect("asked");
        assert_eq!(ended.len(), ends);
    }
    database.assert_invariants().await;
}
