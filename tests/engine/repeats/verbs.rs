//! Every verb asked again: immediately, later, of another host after an answer that was
//! lost, and with something else in it.

use std::time::Duration;

use engine::{Engine, LaneState};
use model::{ExecutionId, PublicState};
use testkit::{Answered, Database, database, eventually};

use super::asks::{Case, arrange, ask, by};
use super::table::{Expected, Row, TABLE, Verb};
use crate::support::lists;
use crate::support::work::{self, claim_one};

/// Returns what any caller can see of an execution and of what was done to it.
async fn seen(engine: &Engine, id: ExecutionId) -> String {
    let info = engine.get(id, None).await.answered().expect("known");
    let operations = lists::operations(engine, id).await.len();
    let attempts = lists::attempts(engine, id).await;
    let signals = lists::signals(engine, id).await;
    let suspensions = lists::suspensions(engine, id).await;
    format!(
        "{:?} {} {} {operations} {attempts:?} {:?} {:?} {:?}",
        info.public_state, info.epoch, info.priority, info.tags, signals, suspensions
    )
}

/// Lets an hour pass, and another worker finish all that waits.
async fn pass(database: &Database, engine: &Engine, case: &Case, verb: Verb) {
    let of_a_holder = (Verb::Renew as u8..Verb::Cancel as u8).contains(&(verb as u8));
    for _ in 0..3 {
        database.advance(Duration::from_secs(3_600)).await;
        engine.reconcile().await.expect("swept");
        let info = engine.get(case.id, None).await.answered().expect("known");
        match info.public_state {
            PublicState::Suspended => engine.resume(by(case.id, "bob"), None).await.accepted(),
            PublicState::WaitingChildren => {
                engine.unblock(by(case.id, "bob"), None).await.accepted()
            }
            _ => {}
        }
        for claimed in work::claim(engine, 10).await {
            work::completed(engine, claimed.fence).await;
        }
    }
    // A time that was given is compared with the clock, which cannot be moved.
    if matches!(verb, Verb::SuspendUntil | Verb::SuspendKeyed) {
        eventually("the time limit has passed", async || {
            (work::now(database).await > case.until).then_some(())
        })
        .await;
    }
    if of_a_holder {
        engine.replay(by(case.id, "bob")).await.accepted();
        claim_one(engine).await;
    }
    let closed = engine.set_lane("default", Some(LaneState::Disabled), None);
    closed.await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_each_verb_is_answered_as_its_row_says() {
    let mut wrong = Vec::new();
    for Row(verb, at_once, later, lost, other) in TABLE {
        let ways = [
            ("at once", Some(*at_once)),
            ("later", Some(*later)),
            ("after a lost answer", Some(*lost)),
            ("with something else", *other),
        ];
        for (way, expected) in ways {
            let Some(expected) = expected else { continue };
            let database = database().await;
            let engine = database.engine().await;
            let case = arrange(&database, &engine, *verb).await;
            let first = ask(&engine, &case, *verb, false).await;
            let first = first.unwrap_or_else(|code| panic!("{verb:?} was refused: {code}"));
            if way == "later" {
                pass(&database, &engine, &case, *verb).await;
            }
            let before = seen(&engine, case.id).await;
            // Another host knows nothing of what the first one was asked.
            let asked = match way {
                "at once" => engine.clone(),
                _ => database.engine().await,
            };
            let again = ask(&asked, &case, *verb, way == "with something else").await;
            let after = seen(&engine, case.id).await;
            let agrees = match (&again, expected) {
                (Ok(again), Expected::Same) => {
                    *again == first && (after == before || *verb == Verb::Tag)
                }
                (Ok(_), Expected::Does) => true,
                (Err(code), Expected::Refused(expected)) => *code == expected && after == before,
                _ => false,
            };
            if !agrees {
                wrong.push(format!(
                    "{verb:?} {way}: {again:?} after {first:?}, expected {expected:?}\n  before {before}\n  after  {after}"
                ));
            }
            database.assert_invariants().await;
            engine.close().await;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
