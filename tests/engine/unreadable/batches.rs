//! Calls that are batched into one statement: a row that this version cannot read fails
//! the call on it, and no other.

use futures::future::join_all;
use model::PublicState;
use testkit::Answered;

use crate::support::server::rows::run;
use crate::support::waiting::{running, signal, single, state, suspended_execution};
use crate::support::work::{claim, completed, operate, setup};

// A policy with a member of a later version failed the signals of every execution that
// rode with one of its own.
#[tokio::test(flavor = "multi_thread")]
async fn signals_to_an_unreadable_execution_fail_alone() {
    let (database, engine) = setup().await;
    let mut waiting = Vec::new();
    for _ in 0..24 {
        waiting.push(suspended_execution(&engine, single("door", "open")).await);
    }
    let odd = waiting.len() / 2;
    let id = waiting[odd].0.fence.execution_id;
    let broken =
        format!("UPDATE suspension SET condition = '{{\"Later\": 1}}' WHERE execution_id = '{id}'");
    run(&database, broken).await;
    for round in 0..4 {
        // Three times what does not satisfy, then what does.
        let name = if round < 3 { "hint" } else { "open" };
        let sent = waiting
            .iter()
            .map(|(_, door)| engine.send_signal(signal(&door.token, name)));
        for (at, answer) in join_all(sent).await.into_iter().enumerate() {
            match answer {
                Ok(delivered) => assert_ne!(at, odd, "{delivered:?}"),
                Err(error) => {
                    assert_eq!(at, odd, "round {round}: {error}");
                    assert!(
                        error.to_string().contains("suspension.condition"),
                        "{error}"
                    );
                }
            }
        }
    }
    for (at, (claimed, _)) in waiting.iter().enumerate() {
        let is = state(&engine, claimed.fence).await;
        assert_eq!(is == PublicState::Suspended, at == odd, "{at}: {is}");
    }
}

// The resumption of one execution could not be read, and the leases that were taken in the
// same claim were lost to all.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_resumption_holds_up_no_claim() {
    let (database, engine) = setup().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (claimed, _) = suspended_execution(&engine, single("door", "open")).await;
        let id = claimed.fence.execution_id;
        let resumed = engine.resume(operate(id), None).await.answered();
        resumed.expect("resumed");
        ids.push(id);
        // It is not claimed by the next round.
        let aside = format!("UPDATE ready SET lane = 'aside' WHERE execution_id = '{id}'");
        run(&database, aside).await;
    }
    run(&database, "UPDATE ready SET lane = 'default'".into()).await;
    // A later version allows more words than this one knows.
    let more = "ALTER TABLE suspension DROP CONSTRAINT suspension_close_reason_is_known";
    run(&database, more.to_owned()).await;
    let broken = format!(
        "UPDATE suspension SET close_reason = 'of_a_later_version' WHERE execution_id = '{}'",
        ids[0]
    );
    run(&database, broken).await;
    let claimed = claim(&engine, 10).await;
    let mut taken: Vec<_> = claimed.iter().map(|one| one.fence.execution_id).collect();
    taken.sort();
    ids.remove(0);
    ids.sort();
    assert_eq!(taken, ids);
}

// A host renews all its leases in one call, and lost them all with one that had ended in
// a way this version does not know.
#[tokio::test(flavor = "multi_thread")]
async fn leases_are_renewed_beside_one_of_an_unreadable_execution() {
    let (database, engine) = setup().await;
    let ended = running(&engine).await.fence;
    let held = running(&engine).await.fence;
    completed(&engine, ended).await;
    run(
        &database,
        "ALTER TYPE outcome ADD VALUE 'of_a_later_version'".into(),
    )
    .await;
    let broken = format!(
        "UPDATE finished SET outcome = 'of_a_later_version', result = NULL, result_type = NULL
         WHERE execution_id = '{}'",
        ended.execution_id
    );
    run(&database, broken).await;
    let renewed = engine.renew(&[ended, held], 30_000).await.answered();
    let refused = renewed[0].as_ref().expect_err("it has ended");
    assert_eq!(refused.code(), "execution_not_active");
    assert!(renewed[1].is_ok(), "{renewed:?}");
    let checked = engine.check(&[ended, held]).await.answered();
    assert_eq!(
        checked[0].as_ref().map_err(|it| it.code()),
        Err("execution_not_active")
    );
    assert!(checked[1].is_ok(), "{checked:?}");
}
