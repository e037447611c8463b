//! Waitpoint tokens on a real database: whose they are, how long they hold, and
//! keys that change under load.

use std::time::Duration;

use engine::{
    CreateWaitpoint, Engine, Error, MintToken, MintedToken, OpenedToken, RotateKey, RotatedKey,
    SecretsFault, SecretsKeys, SeededKey, TokenExpiry,
};
use model::{ExecutionId, InvalidToken, Limits, WaitpointId};
use sqlx::{Connection as _, Executor as _};
use testkit::{Database, database, eventually};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::waiting::{put_down, signal, single, try_deliver};
use crate::work::{claim_one, create};

const HOUR: Duration = Duration::from_secs(3600);

fn wanted() -> MintToken {
    MintToken {
        namespace: "default".into(),
        execution_id: ExecutionId::from_uuid(Uuid::from_u128(7)),
        waitpoint_id: WaitpointId(Uuid::new_v4()),
        signal_names: vec!["approved".into()],
        expiry: TokenExpiry::Never,
    }
}

async fn mint(engine: &Engine, wanted: MintToken) -> MintedToken {
    let minted = engine.mint_waitpoint_tokens(&[wanted]).await;
    minted.expect("asked").expect("valid").remove(0)
}

async fn verify(engine: &Engine, text: &str) -> Result<OpenedToken, InvalidToken> {
    engine.verify_waitpoint_token(text).await.expect("asked")
}

async fn rotate(engine: &Engine, kid: &str, grace_ms: u64) -> RotatedKey {
    let rotate = RotateKey {
        kid: Some(kid.into()),
        secret_hex: None,
        grace_ms: Some(grace_ms),
        actor: "test".into(),
    };
    engine
        .rotate_waitpoint_key(rotate)
        .await
        .expect("asked")
        .expect("rotated")
}

async fn engine_with(database: &Database, secrets: Option<&str>) -> Engine {
    let settings = engine::Settings {
        secrets: secrets.map(|text| SecretsKeys::parse(text).expect("a key")),
        ..database.settings()
    };
    Engine::connect(settings).await.expect("an engine opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_on_every_host_and_says_what_it_is_for() {
    let database = database().await;
    let (one, two) = (database.engine().await, database.engine().await);
    let wanted = wanted();
    let minted = mint(&one, wanted.clone()).await;
    for engine in [&one, &two] {
        let opened = verify(engine, minted.token.reveal()).await.expect("good");
        assert_eq!(opened.claims.namespace, "default");
        assert_eq!(opened.claims.execution_id, wanted.execution_id);
        assert_eq!(opened.claims.waitpoint_id, wanted.waitpoint_id);
        assert_eq!(opened.kid, minted.kid);
        assert_eq!(opened.fingerprint, minted.fingerprint);
        assert!(opened.claims.allows("approved") && !opened.claims.allows("rejected"));
    }
    let again = mint(&one, wanted).await;
    assert_ne!(again.token, minted.token, "no two tokens are alike");
    // The first use made the one key there is.
    let keys = one.waitpoint_keys().await.expect("listed");
    assert_eq!(keys.len(), 1);
    assert_eq!(
        (keys[0].kid.as_str(), keys[0].accepted),
        (minted.kid.as_str(), true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_start_at_once_agree_on_the_first_key() {
    let database = database().await;
    let minted = futures::future::join_all((0..16).map(async |_| {
        let engine = database.engine().await;
        mint(&engine, wanted()).await
    }))
    .await;
    let engine = database.engine().await;
    let mut kids = Vec::new();
    for minted in minted {
        assert!(verify(&engine, minted.token.reveal()).await.is_ok());
        kids.push(minted.kid);
    }
    kids.dedup();
    assert_eq!(kids.len(), 1, "{kids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_tokens_are_all_answered_alike() {
    let database = database().await;
    let engine = database.engine().await;
    let text = mint(&engine, wanted()).await.token.reveal().to_owned();
    let parts: Vec<_> = text.split('.').collect();
    let long = "k".repeat(1 << 20);
    let kids = ["", "unknown", "../k", "k\0", long.as_str()];
    let renamed = kids.map(|kid| [parts[0], kid, parts[2], parts[3]].join("."));
    let cut = (0..text.len()).step_by(7).map(|end| text[..end].to_owned());
    for bad in cut.chain(renamed).chain([format!("{text}="), long.clone()]) {
        assert_eq!(
            verify(&engine, &bad).await,
            Err(InvalidToken),
            "{:.40}",
            bad
        );
    }
    assert!(verify(&engine, &text).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_instance_or_generation_is_none() {
    let (here, elsewhere) = (database().await, database().await);
    // Databases of tests are copies of one, and so is who they are.
    let mut connection = elsewhere.connection().await;
    sqlx::query("UPDATE instance SET id = gen_random_uuid()")
        .execute(&mut connection)
        .await
        .expect("another instance");
    let (engine, other) = (here.engine().await, elsewhere.engine().await);
    // Even with the same key under the same name, as after a restore.
    for engine in [&engine, &other] {
        let seeded = engine
            .seed_waitpoint_key("k1", Some(&"ab".repeat(32)), "test")
            .await;
        assert_eq!(
            seeded.expect("asked").expect("valid"),
            SeededKey::Seeded { kid: "k1".into() }
        );
    }
    let text = mint(&engine, wanted()).await.token.reveal().to_owned();
    assert_eq!(verify(&other, &text).await, Err(InvalidToken));
    let mut connection = here.connection().await;
    sqlx::query("UPDATE instance SET generation = generation + 1")
        .execute(&mut connection)
        .await
        .expect("restored elsewhere");
    let restored = here.engine().await;
    assert_eq!(verify(&restored, &text).await, Err(InvalidToken));
    let anew = mint(&restored, wanted()).await;
    assert!(verify(&restored, anew.token.reveal()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_s_clock_ends_a_token() {
    let database = database().await;
    let engine = database.engine().await;
    let until = |expiry| MintToken { expiry, ..wanted() };
    let ends = mint(&engine, until(TokenExpiry::InMs(3_600_000))).await;
    let now = OffsetDateTime::UNIX_EPOCH;
    assert!(verify(&engine, ends.token.reveal()).await.is_ok());
    for over in [TokenExpiry::InMs(0), TokenExpiry::At(now)] {
        let over = mint(&engine, until(over)).await;
        assert_eq!(
            verify(&engine, over.token.reveal()).await,
            Err(InvalidToken)
        );
        // What it says is proven all the same; that it is over is the database's
        // to say.
        let opened = engine.open_waitpoint_token(over.token.reveal()).await;
        assert_eq!(
            opened.expect("asked").expect("ours").expires_at,
            over.expires_at
        );
    }
    for wrong in [
        TokenExpiry::InMs(Limits::DURATION_MS_MAX + 1),
        TokenExpiry::InMs(u64::MAX),
        TokenExpiry::At(now - HOUR),
    ] {
        let refused = engine
            .mint_waitpoint_tokens(&[until(wrong)])
            .await
            .expect("asked");
        assert!(refused.is_err(), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_is_accepted_for_its_grace_on_every_host_and_not_a_moment_longer() {
    let database = database().await;
    let (one, two) = (database.engine().await, database.engine().await);
    let old = mint(&one, wanted()).await;
    // Both hosts remember the key.
    assert!(verify(&two, old.token.reveal()).await.is_ok());
    let rotated = rotate(&one, "k2", 3_600_000).await;
    let RotatedKey::Rotated {
        previous_kid,
        new_kid,
        ..
    } = rotated
    else {
        panic!("{rotated:?}");
    };
    assert_eq!(
        (previous_kid, new_kid.as_str()),
        (Some(old.kid.clone()), "k2")
    );
    let new = mint(&two, wanted()).await;
    assert_eq!(new.kid, "k2", "no host signs with the old key");
    for engine in [&one, &two] {
        assert!(
            verify(engine, old.token.reveal()).await.is_ok(),
            "within its grace"
        );
        assert!(verify(engine, new.token.reveal()).await.is_ok());
    }
    database.advance(HOUR).await;
    for engine in [&one, &two] {
        assert_eq!(
            verify(engine, old.token.reveal()).await,
            Err(InvalidToken),
            "after it"
        );
        assert!(verify(engine, new.token.reveal()).await.is_ok());
    }
    // An hour later it is forgotten by the next rotation.
    database.advance(HOUR).await;
    let rotated = rotate(&one, "k3", 0).await;
    assert!(
        matches!(rotated, RotatedKey::Rotated { forgotten: 1, .. }),
        "{rotated:?}"
    );
    assert_eq!(
        verify(&two, new.token.reveal()).await,
        Err(InvalidToken),
        "no grace at all"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_retired_at_once_on_every_host() {
    let database = database().await;
    let (one, two) = (database.engine().await, database.engine().await);
    let old = mint(&one, wanted()).await;
    assert!(verify(&two, old.token.reveal()).await.is_ok());
    let retire = async |kid: &str| one.retire_waitpoint_key(kid, "alice").await.expect("asked");
    assert_eq!(
        retire(&old.kid).await.expect_err("it signs").code(),
        "waitpoint_key_active"
    );
    assert_eq!(
        retire("nobody").await.expect_err("unknown").code(),
        "waitpoint_key_not_found"
    );
    rotate(&one, "k2", 3_600_000).await;
    assert!(verify(&two, old.token.reveal()).await.is_ok());
    for _ in 0..2 {
        assert_eq!(retire(&old.kid).await, Ok(()));
        assert_eq!(verify(&two, old.token.reveal()).await, Err(InvalidToken));
    }
    let keys = one.waitpoint_keys().await.expect("listed");
    let states: Vec<_> = keys
        .iter()
        .map(|key| {
            (
                key.kid.as_str(),
                key.state.as_str(),
                key.accepted,
                key.retired_by.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            ("k2", "active", true, None),
            (old.kid.as_str(), "retiring", false, Some("alice"))
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_repeated_without_harm_and_refused_by_name() {
    let database = database().await;
    let engine = database.engine().await;
    let secret = "ab".repeat(32);
    let ask = async |kid: &str, secret: Option<&str>, grace_ms: u64| {
        let rotate = RotateKey {
            kid: Some(kid.into()),
            secret_hex: secret.map(Into::into),
            grace_ms: Some(grace_ms),
            actor: "test".into(),
        };
        let answer = engine.rotate_waitpoint_key(rotate).await.expect("asked");
        answer.map_err(|refusal| refusal.code())
    };
    let noop = Ok(RotatedKey::Noop { kid: "k1".into() });
    let first = ask("k1", Some(&secret), 0).await.expect("rotated");
    assert!(
        matches!(
            first,
            RotatedKey::Rotated {
                previous_kid: None,
                ..
            }
        ),
        "{first:?}"
    );
    assert_eq!(ask("k1", Some(&secret), 0).await, noop);
    assert_eq!(ask("k1", None, 0).await, noop);
    assert_eq!(
        ask("k1", Some(&"cd".repeat(32)), 0).await,
        Err("rotation_conflict")
    );
    for kid in ["", "a.b", "a:b", "../k", &"k".repeat(33)] {
        assert_eq!(ask(kid, None, 0).await, Err("invalid_kid"), "{kid}");
    }
    for wrong in ["", "ab", &secret[1..], &"zz".repeat(32), &"ab".repeat(65)] {
        assert_eq!(
            ask("k2", Some(wrong), 0).await,
            Err("invalid_secret_hex"),
            "{wrong}"
        );
    }
    assert_eq!(ask("k2", None, u64::MAX).await, Err("invalid_grace_ms"));
    assert!(ask("k2", None, 3_600_000).await.is_ok());
    assert_eq!(
        ask("k1", Some(&secret), 0).await,
        Err("rotation_conflict"),
        "an old key does not come back"
    );
    let seeded = engine.seed_waitpoint_key("k1", Some(&secret), "test").await;
    assert_eq!(
        seeded.expect("asked").expect("valid"),
        SeededKey::AlreadySeeded {
            kid: "k2".into(),
            same_secret: false
        }
    );
    for at in 3..=Limits::KEYS_MAX {
        assert!(
            ask(&format!("k{at}"), None, 3_600_000).await.is_ok(),
            "{at}"
        );
    }
    assert_eq!(ask("one-more", None, 1).await, Err("too_many_keys"));
    assert!(
        ask("leaked", None, 0).await.is_ok(),
        "a key can always be replaced"
    );
    database.advance(HOUR).await;
    assert!(ask("one-more", None, 1).await.is_ok());
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seeding_tells_whether_the_secret_is_the_same() {
    let database = database().await;
    let engine = database.engine().await;
    let seed = async |secret: &str| {
        let seeded = engine.seed_waitpoint_key("k1", Some(secret), "test").await;
        seeded.expect("asked").expect("valid")
    };
    let (one, two) = ("ab".repeat(32), "cd".repeat(32));
    assert_eq!(seed(&one).await, SeededKey::Seeded { kid: "k1".into() });
    for (secret, same_secret) in [(&one, true), (&two, false)] {
        let kid = "k1".to_owned();
        assert_eq!(
            seed(secret).await,
            SeededKey::AlreadySeeded { kid, same_secret }
        );
    }
}

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
    let first = mint(&hosts[0], wanted()).await;
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
                    let minted = mint(&minting, wanted()).await;
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
    let keys = hosts[2].waitpoint_keys().await.expect("listed");
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
async fn signals_are_accepted_until_the_grace_of_their_key_is_over_and_not_after() {
    const GRACE_MS: u64 = 1_500;
    let database = database().await;
    let hosts = [database.engine().await, database.engine().await];
    let mut request = create("x");
    request.policy.max_signals_per_execution.0 = 1_000_000;
    let created = hosts[0].create(request).await.expect("asked");
    let id = created.expect("created").id();
    let fence = claim_one(&hosts[0]).await.fence;
    let made = CreateWaitpoint {
        fence,
        key: "door".into(),
        expires_in_ms: None,
        signal_names: vec![],
    };
    let made = hosts[0].create_waitpoint(made).await;
    let waitpoint_id = made.expect("asked").expect("made").id;
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
            let mut tokens: Vec<MintedToken> = Vec::new();
            let mut asked = Vec::new();
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            let begun = std::time::Instant::now();
            while begun.elapsed() < lasts {
                ticks.tick().await;
                let token = MintToken {
                    namespace: "default".into(),
                    execution_id: id,
                    waitpoint_id,
                    signal_names: vec![],
                    expiry: TokenExpiry::Never,
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
                            assert_eq!(refused, InvalidToken.into());
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
async fn a_signal_is_refused_if_its_key_goes_before_it_is_written() {
    let database = database().await;
    let engine = database.engine().await;
    let (claimed, waitpoint) = put_down(&engine, single("door", "open")).await;
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
        .expect("asked");
        waiting.then_some(())
    })
    .await;
    rotate(&engine, "k2", 0).await;
    held.rollback().await.expect("let go");
    assert_eq!(asked.await.expect("answered"), Err(InvalidToken.into()));
    let id = claimed.fence.execution_id;
    let kept = engine.signals(id, None, None, 10).await.expect("asked");
    assert_eq!(kept, Some(vec![]));
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_another_key_or_none_says_what_to_set() {
    let database = database().await;
    let (old, new) = ("01".repeat(32), "02".repeat(32));
    let without = engine_with(&database, None).await;
    let missing = without
        .mint_waitpoint_tokens(&[wanted()])
        .await
        .expect_err("no key");
    assert!(
        matches!(missing, Error::Secrets(SecretsFault::KeyMissing)),
        "{missing}"
    );
    assert!(
        missing.to_string().contains("FLOWHOST_SECRETS_KEY"),
        "{missing}"
    );
    assert!(without.waitpoint_keys().await.expect("listed").is_empty());

    let engine = engine_with(&database, Some(&old)).await;
    assert!(engine.check_secrets().await.is_ok());
    let minted = mint(&engine, wanted()).await;
    let other = engine_with(&database, Some(&new)).await;
    for engine in [&without, &other] {
        for fault in [
            engine
                .mint_waitpoint_tokens(&[wanted()])
                .await
                .expect_err("unreadable"),
            engine
                .verify_waitpoint_token(minted.token.reveal())
                .await
                .expect_err("unreadable"),
            engine.check_secrets().await.expect_err("unreadable"),
        ] {
            assert!(fault.to_string().contains("secrets.key_file"), "{fault}");
        }
        // Forged tokens of no key are refused all the same.
        assert_eq!(verify(engine, "v1.nobody.AA.AA").await, Err(InvalidToken));
    }

    // Keys are changed without an interruption: the new one first.
    let both = engine_with(&database, Some(&format!("{new}\n{old}"))).await;
    assert!(verify(&both, minted.token.reveal()).await.is_ok());
    rotate(&both, "k2", 3_600_000).await;
    assert!(verify(&both, minted.token.reveal()).await.is_ok());
    let minted = mint(&other, wanted()).await;
    assert!(verify(&other, minted.token.reveal()).await.is_ok());

    // A key that encrypts was lost: tokens of before are, nothing else is.
    let third = engine_with(&database, Some(&"03".repeat(32))).await;
    rotate(&third, "k3", 0).await;
    let anew = mint(&third, wanted()).await;
    assert!(verify(&third, anew.token.reveal()).await.is_ok());
    assert_eq!(
        verify(&third, minted.token.reveal()).await,
        Err(InvalidToken)
    );
}

/// Somebody who may write to the database but has no key moves a secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_does_not_open_in_another_row() {
    let database = database().await;
    let engine = database.engine().await;
    mint(&engine, wanted()).await;
    rotate(&engine, "k2", 3_600_000).await;
    let mut connection = database.connection().await;
    sqlx::query(
        "UPDATE waitpoint_key SET wrapped_secret =
            (SELECT wrapped_secret FROM waitpoint_key WHERE state = 'retiring')
         WHERE state = 'active'",
    )
    .execute(&mut connection)
    .await
    .expect("moved");
    let fault = database
        .engine()
        .await
        .mint_waitpoint_tokens(&[wanted()])
        .await;
    let fault = fault.expect_err("not as it was written");
    assert!(
        matches!(fault, Error::Secrets(SecretsFault::Tampered { .. })),
        "{fault}"
    );
}
