//! Keys of waitpoint tokens that change under load: within the grace nothing is
//! refused, and nothing is accepted after it.

use std::time::Duration;

use engine::{MintWaitpointToken, MintedWaitpointToken, WaitpointTokenExpiry};
use model::InvalidWaitpointToken;
use sqlx::{Connection as _, Executor as _};
use testkit::{Answered, database, eventually};
use time::OffsetDateTime;

use crate::support::lists;
use crate::support::waiting::{
    mint, rotate, signal, single, suspended_execution, try_deliver, verify, waitpoint, wanted_token,
};
use crate::support::work::{claim_one, create};

/// Rotations every few milliseconds on two hosts while others mint and verify:
/// within the grace nothing is refused, at any moment exactly one key signs, and
/// what is past its grace is refused.
#[tokio::test(flavor = "multi_thread")]
async fn rotation_under_load_refuses_nothing_within_the_grace() {
    const GRACE_MS: u64 = 60_000;
    let database = database().await;
    let hosts = [
        database.engine().await,
        database.engine().await,
        database.engine().await,
    ];
    let first = mint(&hosts[0], wanted_token()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let rotating: Vec<_> = (0..2)
        .map(|at| {
            let (engine, stopped) = (hosts[at].clone(), stopped.clone());
            tokio::spawn(async move {
                for round in 0..40 {
                    rotate(&engine, &format!("k{at}-{round}"), GRACE_MS).await;
                    if *stopped.borrow() {
                        break;
                    }
                }
            })
        })
        .collect();
    let verifying: Vec<_> = (0..4)
        .map(|at: usize| {
            let (minting, reading) = (hosts[at % 3].clone(), hosts[(at + 1) % 3].clone());
            let mut stopped = stopped.clone();
            tokio::spawn(async move {
                let mut tokens = Vec::new();
                while !*stopped.borrow_and_update() {
                    let minted = mint(&minting, wanted_token()).await;
                    let found = verify(&reading, minted.token.reveal()).await;
                    assert!(found.is_ok(), "just minted: {}", minted.kid);
                    tokens.push(minted);
                }
                tokens
            })
        })
        .collect();
    for task in rotating {
        task.await.expect("rotated");
    }
    stop.send_replace(true);
    let mut tokens = vec![first];
    for task in verifying {
        tokens.extend(task.await.expect("nothing was refused"));
    }
    let kids: std::collections::BTreeSet<_> = tokens.iter().map(|it| it.kid.clone()).collect();
    assert!(kids.len() > 5, "too few rotations came between: {kids:?}");
    let keys = hosts[2].waitpoint_keys(None, 1000).await.expect("listed");
    assert_eq!(keys.len(), 81, "every rotation was one");
    let active: Vec<_> = keys
        .iter()
        .filter(|key| key.state.as_str() == "active")
        .collect();
    assert_eq!(active.len(), 1);
    for minted in &tokens {
        assert!(
            verify(&hosts[2], minted.token.reveal()).await.is_ok(),
            "within the grace"
        );
    }
    database.advance(Duration::from_millis(GRACE_MS)).await;
    for minted in &tokens {
        let good = verify(&hosts[0], minted.token.reveal()).await.is_ok();
        assert_eq!(
            good,
            minted.kid == active[0].kid,
            "after the grace: {}",
            minted.kid
        );
    }
}

/// When something happened, by the database's clock.
async fn now(connection: &mut sqlx::PgConnection) -> OffsetDateTime {
    let now = sqlx::query_scalar("SELECT clock_timestamp()");
    now.fetch_one(connection).await.expect("the time")
}

/// What a token was answered with, and between which times it was asked.
struct Asked {
    kid: String,
    begun: OffsetDateTime,
    ended: OffsetDateTime,
    /// The signal, if it was accepted.
    kept: Option<model::SignalId>,
}

/// Rotations every 100 ms while signals arrive at 200 a second with tokens of every
/// age: none is refused before its key's grace is over, and none accepted after.
/// `FLOWHOST_FUZZ_SECONDS` has it last longer.
#[tokio::test(flavor = "multi_thread")]
async fn signals_are_accepted_until_the_grace_of_their_key_ends() {
    const GRACE_MS: u64 = 1_500;
    let database = database().await;
    let hosts = [database.engine().await, database.engine().await];
    let mut request = create("x");
    request.policy.max_signals_per_execution = 1_000_000;
    let created = hosts[0].create(request).await.answered();
    let id = created.expect("created").id();
    let fence = claim_one(&hosts[0]).await.fence;
    let waitpoint_id = waitpoint(&hosts[0], fence, "door").await.id;
    let lasts = std::env::var("FLOWHOST_FUZZ_SECONDS");
    let lasts = lasts.map_or(5, |text| text.parse().expect("a number"));
    let lasts = Duration::from_secs(lasts);

    let rotating = {
        let host = hosts[0].clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            let begun = std::time::Instant::now();
            let mut rounds = 0;
            while begun.elapsed() < lasts {
                ticks.tick().await;
                rotate(&host, &format!("k{rounds}"), GRACE_MS).await;
                rounds += 1;
            }
            rounds
        })
    };
    let asking = {
        let hosts = hosts.clone();
        let mut connection = database.connection().await;
        let mut random = testkit::Random::new();
        async move {
            let mut tokens: Vec<MintedWaitpointToken> = Vec::new();
            let mut asked = Vec::new();
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            let begun = std::time::Instant::now();
            while begun.elapsed() < lasts {
                ticks.tick().await;
                let token = MintWaitpointToken {
                    namespace: "default".into(),
                    execution_id: id,
                    waitpoint_id,
                    signal_names: vec![],
                    expiry: WaitpointTokenExpiry::Never,
                };
                tokens.push(mint(&hosts[asked.len() % 2], token).await);
                let chosen: Vec<_> = (0..4).map(|_| random.pick(&tokens).clone()).collect();
                let begun = now(&mut connection).await;
                let answers = chosen
                    .iter()
                    .zip(hosts.iter().cycle())
                    .map(|(token, host)| try_deliver(host, signal(&token.token, "x")));
                let answers = futures::future::join_all(answers).await;
                let ended = now(&mut connection).await;
                for (token, answer) in chosen.into_iter().zip(answers) {
                    let kept = match answer {
                        Ok(delivered) => Some(delivered.signal_id),
                        Err(refused) => {
                            assert_eq!(refused, InvalidWaitpointToken.into());
                            None
                        }
                    };
                    let kid = token.kid;
                    asked.push(Asked {
                        kid,
                        begun,
                        ended,
                        kept,
                    });
                }
            }
            asked
        }
    };
    let asked = asking.await;
    let rounds = rotating.await.expect("rotated");
    let mut connection = database.connection().await;
    let keys: Vec<(String, Option<OffsetDateTime>)> =
        sqlx::query_as("SELECT kid, not_after FROM waitpoint_key")
            .fetch_all(&mut connection)
            .await
            .expect("read");
    let keys: std::collections::HashMap<_, _> = keys.into_iter().collect();
    for one in &asked {
        let over = keys[&one.kid];
        if over.is_none_or(|over| one.ended < over) {
            assert!(one.kept.is_some(), "{} refused within its grace", one.kid);
        }
        if over.is_some_and(|over| one.begun > over) {
            assert!(one.kept.is_none(), "{} accepted after its grace", one.kid);
        }
    }
    // And what is kept was kept in time, but for the time a statement takes.
    let late: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM signal g JOIN waitpoint_key k ON k.kid = g.token_kid
         WHERE g.accepted_at > k.not_after + interval '1 s'",
    )
    .fetch_one(&mut connection)
    .await
    .expect("counted");
    assert_eq!(late, 0);
    let kept = asked.iter().filter(|one| one.kept.is_some()).count();
    let signals: i64 = sqlx::query_scalar("SELECT count(*) FROM signal")
        .fetch_one(&mut connection)
        .await
        .expect("counted");
    assert_eq!(signals as usize, kept, "what was refused is not kept");
    println!(
        "{rounds} rotations, {kept} of {} signals accepted",
        asked.len()
    );
    assert!(
        rounds > 20 && kept > 100 && asked.len() - kept > 50,
        "{rounds} rotations, {kept} of {} accepted: too few to tell",
        asked.len()
    );
    database.assert_invariants().await;
}

/// The key goes when its token was opened and what the signal does is decided.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_refused_when_its_key_is_retired_before_the_write() {
    let database = database().await;
    let engine = database.engine().await;
    let (claimed, waitpoint) = suspended_execution(&engine, single("door", "open")).await;
    let mut holder = database.connection().await;
    let mut held = holder.begin().await.expect("begun");
    let lock = "LOCK TABLE event IN ACCESS EXCLUSIVE MODE";
    held.execute(lock).await.expect("locked");
    let asked = {
        let engine = engine.clone();
        let token = waitpoint.token.clone();
        tokio::spawn(async move { try_deliver(&engine, signal(&token, "open")).await })
    };
    let mut connection = database.connection().await;
    eventually("the signal waits to be written", async || {
        let waiting: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .fetch_one(&mut connection)
        .await
        .expect("the database answers");
        waiting.then_some(())
    })
    .await;
    rotate(&engine, "k2", 0).await;
    held.rollback().await.expect("let go");
    assert_eq!(
        asked.await.expect("answered"),
        Err(InvalidWaitpointToken.into())
    );
    let id = claimed.fence.execution_id;
    assert_eq!(lists::signals(&engine, id).await, []);
    database.assert_invariants().await;
}
