//! Each pair of verbs that can meet in a place, in each schedule.

use std::time::Duration;

use engine::{Suspend, SuspensionTimeout};
use model::TimeoutBehavior;
use testkit::Answered;

use super::places::Place;
use super::schedules::Rig;
use crate::support::waiting::{single, suspend, suspended};
use crate::support::work::{claim_one, create, operate, setup};

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
                            "{place:?}: {first:?} and {second:?}, {schedule}:\n  {outcome:?}\n  is not among {allowed:#?}"
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
async fn concurrent_verbs_on_a_waiting_execution_leave_one_order() {
    meet(&[Place::Waiting, Place::Blocked, Place::Children, Place::Due]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_verbs_on_a_running_execution_leave_one_order() {
    meet(&[Place::Active]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_verbs_on_an_ended_or_lost_execution_leave_one_order() {
    meet(&[Place::Expired, Place::Terminal]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_concurrent_with_early_signals_leave_one_order() {
    meet(&[Place::Early]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_verbs_on_a_suspended_execution_leave_one_order() {
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
async fn a_late_timeout_ends_no_later_suspension() {
    let (database, engine) = setup().await;
    let mut connection = database.connection().await;
    let timed = |fence| Suspend {
        timeout: Some(SuspensionTimeout::InMs(60_000)),
        ..suspend(fence, single("door", "open"))
    };
    let created = engine.create(create("x")).await.answered();
    let id = created.expect("created").id();
    let first = suspended(&engine, timed(claim_one(&engine).await.fence)).await;
    let resumed = engine.resume(operate(id), None).await;
    resumed.accepted();
    let second = suspended(&engine, timed(claim_one(&engine).await.fence)).await;
    database.advance(Duration::from_secs(61)).await;
    for (suspension, ends) in [(first.id, 0), (second.id, 1)] {
        let finish = include_str!("../../../host/engine/src/execution/finish/finish.sql");
        let ended = sqlx::query(finish)
            .bind(0_i16)
            .bind([id.uuid()])
            .bind(["failed"])
            .bind(["timeout"])
            .bind(["suspension_timeout"])
            .bind([None::<&str>])
            .bind(["system_timeout"])
            .bind(["expired"])
            .bind(["failed"])
            .bind([false])
            .bind([suspension.0])
            .bind(["timed_out_fail"])
            .bind([None::<&str>])
            .bind([None::<&str>])
            .fetch_all(&mut connection)
            .await
            .expect("the database answers");
        assert_eq!(ended.len(), ends);
    }
    database.assert_invariants().await;
}
