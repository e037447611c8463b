//! The keys that sign waitpoint tokens, on a real database: how they come, follow each
//! other and go, and how their secrets are kept.

use std::time::Duration;

use engine::{
    Declined, Engine, Error, RotateWaitpointKey, RotatedWaitpointKey, SecretsFault, SecretsKeys,
    SeededWaitpointKey,
};
use model::{InvalidWaitpointToken, Limits};
use testkit::{Answered, Database, database};

use crate::support::waiting::{mint, rotate, verify, wanted_token};

const HOUR: Duration = Duration::from_secs(3600);

async fn engine_with(database: &Database, secrets: Option<&str>) -> Engine {
    let settings = engine::Settings {
        secrets: secrets.map(|text| SecretsKeys::parse(text).expect("a key")),
        ..database.settings()
    };
    Engine::connect(settings).await.expect("an engine opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_start_together_agree_on_the_first_key() {
    let database = database().await;
    let minted = futures::future::join_all((0..16).map(async |_| {
        let engine = database.engine().await;
        mint(&engine, wanted_token()).await
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
async fn a_rotated_key_is_accepted_on_every_host_until_its_grace_ends() {
    let database = database().await;
    let (one, two) = (database.engine().await, database.engine().await);
    let old = mint(&one, wanted_token()).await;
    // Both hosts remember the key.
    assert!(verify(&two, old.token.reveal()).await.is_ok());
    let rotated = rotate(&one, "k2", 3_600_000).await;
    let RotatedWaitpointKey::Rotated {
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
    let new = mint(&two, wanted_token()).await;
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
            Err(InvalidWaitpointToken),
            "after it"
        );
        assert!(verify(engine, new.token.reveal()).await.is_ok());
    }
    // An hour later it is forgotten by the next rotation.
    database.advance(HOUR).await;
    let rotated = rotate(&one, "k3", 0).await;
    assert!(
        matches!(rotated, RotatedWaitpointKey::Rotated { forgotten: 1, .. }),
        "{rotated:?}"
    );
    assert_eq!(
        verify(&two, new.token.reveal()).await,
        Err(InvalidWaitpointToken),
        "no grace at all"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn retiring_a_key_takes_effect_immediately_on_every_host() {
    let database = database().await;
    let (one, two) = (database.engine().await, database.engine().await);
    let old = mint(&one, wanted_token()).await;
    assert!(verify(&two, old.token.reveal()).await.is_ok());
    let retire = async |kid: &str| one.retire_waitpoint_key(kid, "alice").await.answered();
    assert_eq!(
        retire(&old.kid).await.expect_err("it signs").code(),
        "waitpoint_key_active"
    );
    assert_eq!(
        retire("unknown").await.expect_err("unknown").code(),
        "waitpoint_key_not_found"
    );
    rotate(&one, "k2", 3_600_000).await;
    assert!(verify(&two, old.token.reveal()).await.is_ok());
    for _ in 0..2 {
        assert_eq!(retire(&old.kid).await, Ok(()));
        assert_eq!(
            verify(&two, old.token.reveal()).await,
            Err(InvalidWaitpointToken)
        );
    }
    let keys = one.waitpoint_keys(None, 10).await.expect("listed");
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
async fn a_key_rotation_is_idempotent_and_refused_by_name() {
    let database = database().await;
    let engine = database.engine().await;
    let secret = "ab".repeat(32);
    let ask = async |kid: &str, secret: Option<&str>, grace_ms: u64| {
        let rotate = RotateWaitpointKey {
            kid: Some(kid.into()),
            secret_hex: secret.map(Into::into),
            grace_ms: Some(grace_ms),
            actor: "test".into(),
        };
        let answer = engine.rotate_waitpoint_key(rotate).await.answered();
        answer.map_err(|refusal| refusal.code())
    };
    let noop = Ok(RotatedWaitpointKey::Noop { kid: "k1".into() });
    let first = ask("k1", Some(&secret), 0).await.expect("rotated");
    assert!(
        matches!(
            first,
            RotatedWaitpointKey::Rotated {
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
        seeded.accepted(),
        SeededWaitpointKey::AlreadySeeded {
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
async fn seeding_a_key_again_compares_the_secrets() {
    let database = database().await;
    let engine = database.engine().await;
    let seed = async |secret: &str| {
        let seeded = engine.seed_waitpoint_key("k1", Some(secret), "test").await;
        seeded.accepted()
    };
    let (one, two) = ("ab".repeat(32), "cd".repeat(32));
    assert_eq!(
        seed(&one).await,
        SeededWaitpointKey::Seeded { kid: "k1".into() }
    );
    for (secret, same_secret) in [(&one, true), (&two, false)] {
        let kid = "k1".to_owned();
        assert_eq!(
            seed(secret).await,
            SeededWaitpointKey::AlreadySeeded { kid, same_secret }
        );
    }
}

/// Returns the fault of a verb that was not carried out.
fn fault<R>(declined: Declined<R>) -> Error {
    declined.refusal().map(drop).expect_err("a fault")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_another_secrets_key_or_none_names_the_setting() {
    let database = database().await;
    let (old, new) = ("01".repeat(32), "02".repeat(32));
    let without = engine_with(&database, None).await;
    let missing = without
        .mint_waitpoint_tokens(&[wanted_token()])
        .await
        .expect_err("no key");
    let missing = fault(missing);
    assert!(
        matches!(missing, Error::Secrets(SecretsFault::KeyMissing)),
        "{missing}"
    );
    assert!(
        missing.to_string().contains("FLOWHOST_SECRETS_KEY"),
        "{missing}"
    );
    let keys = without.waitpoint_keys(None, 10).await.expect("listed");
    assert!(keys.is_empty());

    let engine = engine_with(&database, Some(&old)).await;
    assert!(engine.check_secrets().await.is_ok());
    let minted = mint(&engine, wanted_token()).await;
    let other = engine_with(&database, Some(&new)).await;
    for engine in [&without, &other] {
        for fault in [
            fault(
                engine
                    .mint_waitpoint_tokens(&[wanted_token()])
                    .await
                    .expect_err("unreadable"),
            ),
            fault(
                engine
                    .verify_waitpoint_token(minted.token.reveal())
                    .await
                    .expect_err("unreadable"),
            ),
            engine.check_secrets().await.expect_err("unreadable"),
        ] {
            assert!(fault.to_string().contains("secrets.key_file"), "{fault}");
        }
        // Forged tokens of no key are refused all the same.
        assert_eq!(
            verify(engine, "v1.unknown.AA.AA").await,
            Err(InvalidWaitpointToken)
        );
    }

    // Keys are changed without an interruption: the new one first.
    let both = engine_with(&database, Some(&format!("{new}\n{old}"))).await;
    assert!(verify(&both, minted.token.reveal()).await.is_ok());
    rotate(&both, "k2", 3_600_000).await;
    assert!(verify(&both, minted.token.reveal()).await.is_ok());
    let minted = mint(&other, wanted_token()).await;
    assert!(verify(&other, minted.token.reveal()).await.is_ok());

    // A key that encrypts was lost: tokens of before are, nothing else is.
    let third = engine_with(&database, Some(&"03".repeat(32))).await;
    rotate(&third, "k3", 0).await;
    let new = mint(&third, wanted_token()).await;
    assert!(verify(&third, new.token.reveal()).await.is_ok());
    assert_eq!(
        verify(&third, minted.token.reveal()).await,
        Err(InvalidWaitpointToken)
    );
}

/// An attacker who may write to the database but has no key moves a secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_moved_to_another_row_does_not_decrypt() {
    let database = database().await;
    let engine = database.engine().await;
    mint(&engine, wanted_token()).await;
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
        .mint_waitpoint_tokens(&[wanted_token()])
        .await;
    let fault = self::fault(fault.expect_err("not as it was written"));
    assert!(
        matches!(fault, Error::Secrets(SecretsFault::Tampered { .. })),
        "{fault}"
    );
}
