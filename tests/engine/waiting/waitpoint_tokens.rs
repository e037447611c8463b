//! Waitpoint tokens on a real database: whose they are and how long they hold.

use engine::{MintWaitpointToken, SeededWaitpointKey, WaitpointTokenExpiry};
use model::{InvalidWaitpointToken, Limits, Moment};
use testkit::{Answered, database};
use time::OffsetDateTime;

use crate::support::waiting::{mint, verify, wanted_token};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_valid_on_every_host_and_carries_its_claims() {
    let database = database().await;
    let (one, two) = (database.engine().await, database.engine().await);
    let wanted = wanted_token();
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
    let keys = one.waitpoint_keys(None, 10).await.expect("listed");
    assert_eq!(keys.len(), 1);
    assert_eq!(
        (keys[0].kid.as_str(), keys[0].accepted),
        (minted.kid.as_str(), true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_invalid_token_gets_the_same_answer_over_http() {
    let database = database().await;
    let engine = database.engine().await;
    let text = mint(&engine, wanted_token())
        .await
        .token
        .reveal()
        .to_owned();
    let parts: Vec<_> = text.split('.').collect();
    let long = "k".repeat(1 << 20);
    let kids = ["", "unknown", "../k", "k\0", long.as_str()];
    let renamed = kids.map(|kid| [parts[0], kid, parts[2], parts[3]].join("."));
    let cut = (0..text.len()).step_by(7).map(|end| text[..end].to_owned());
    for bad in cut.chain(renamed).chain([format!("{text}="), long.clone()]) {
        assert_eq!(
            verify(&engine, &bad).await,
            Err(InvalidWaitpointToken),
            "{:.40}",
            bad
        );
    }
    assert!(verify(&engine, &text).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_instance_or_generation_is_invalid() {
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
            seeded.accepted(),
            SeededWaitpointKey::Seeded { kid: "k1".into() }
        );
    }
    let text = mint(&engine, wanted_token())
        .await
        .token
        .reveal()
        .to_owned();
    assert_eq!(verify(&other, &text).await, Err(InvalidWaitpointToken));
    let mut connection = here.connection().await;
    sqlx::query("UPDATE instance SET generation = generation + 1")
        .execute(&mut connection)
        .await
        .expect("restored elsewhere");
    let restored = here.engine().await;
    assert_eq!(verify(&restored, &text).await, Err(InvalidWaitpointToken));
    let new = mint(&restored, wanted_token()).await;
    assert!(verify(&restored, new.token.reveal()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_of_the_database_expires_a_token() {
    let database = database().await;
    let engine = database.engine().await;
    let until = |expiry| MintWaitpointToken {
        expiry,
        ..wanted_token()
    };
    let ends = mint(&engine, until(WaitpointTokenExpiry::InMs(3_600_000))).await;
    let past = Moment::new(OffsetDateTime::UNIX_EPOCH).expect("a time");
    assert!(verify(&engine, ends.token.reveal()).await.is_ok());
    for over in [
        WaitpointTokenExpiry::InMs(0),
        WaitpointTokenExpiry::At(past),
    ] {
        let over = mint(&engine, until(over)).await;
        assert_eq!(
            verify(&engine, over.token.reveal()).await,
            Err(InvalidWaitpointToken)
        );
        // What it says is proven all the same; that it is over is the database's
        // to say.
        let opened = engine
            .verify_waitpoint_token_signature(over.token.reveal())
            .await;
        assert_eq!(opened.accepted().expires_at, over.expires_at);
    }
    for wrong in [
        WaitpointTokenExpiry::InMs(Limits::DURATION_MS_MAX + 1),
        WaitpointTokenExpiry::InMs(u64::MAX),
    ] {
        let refused = engine
            .mint_waitpoint_tokens(&[until(wrong)])
            .await
            .answered();
        assert!(refused.is_err(), "{wrong:?}");
    }
}
