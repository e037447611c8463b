//! A request to create with an idempotency key that is made again.

use engine::{Create, Created};
use model::CreateRefusal;
use reqwest::StatusCode;
use serde_json::json;

use super::requests::{ask, drawn, keys, named};
use crate::support::api::{code, with};
use crate::support::http_work::{start, word};
use crate::support::work::{create, setup};

/// In one namespace, too, a new key is not bound to an execution that another key made.
#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_is_bound_only_to_the_execution_it_created() {
    let (database, engine) = setup().await;
    let id = drawn();
    let with_key = |key: &str, input| Create {
        idempotency_key: Some(key.to_owned()),
        ..named(id, input)
    };
    ask(&engine, with_key("k1", "x")).await.expect("made");
    let again = ask(&engine, with_key("k2", "x")).await;
    assert_eq!(again, Ok(Created::Duplicate { id }), "the id says it");
    let other = ask(&engine, with_key("k2", "y")).await;
    assert_eq!(other, Err(CreateRefusal::IdConflict { id }));
    assert_eq!(keys(&database).await, [("k1".to_owned(), id.uuid())]);
    // The key comes first: the same one finds the execution under another id.
    let renamed = Create {
        id: Some(drawn()),
        ..with_key("k1", "x")
    };
    assert_eq!(ask(&engine, renamed).await, Ok(Created::Duplicate { id }));
    database.assert_invariants().await;
}

/// A key that a host took for an id at the moment at which another request created it
/// is bound to an execution that does not have it; the host notices and frees it.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_request_lost_a_race_for_an_id_stays_free() {
    let (database, engine) = setup().await;
    let id = drawn();
    ask(
        &engine,
        Create {
            namespace: "a".to_owned(),
            ..named(id, "x")
        },
    )
    .await
    .expect("made");
    sqlx::query(
        "INSERT INTO idempotency (partition, namespace, key, execution_id, request_digest, expires_at)
         VALUES (0, 'b', 'k', $1, '\\x00', clock_timestamp() + interval '1 day')",
    )
    .bind(id.uuid())
    .execute(&mut database.connection().await)
    .await
    .expect("bound as the race leaves it");
    let keyed = Create {
        namespace: "b".to_owned(),
        idempotency_key: Some("k".to_owned()),
        ..create("x")
    };
    let lost = Create {
        id: Some(id),
        ..keyed.clone()
    };
    assert_eq!(
        ask(&engine, lost).await,
        Err(CreateRefusal::IdConflict { id })
    );
    let made = ask(&engine, keyed.clone()).await.expect("made").id();
    assert_ne!(made, id);
    assert_eq!(
        ask(&engine, keyed).await,
        Ok(Created::Duplicate { id: made })
    );
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_race_for_an_id_or_a_key_make_one_execution() {
    let (database, engine) = setup().await;
    let other = database.engine().await;
    for round in 0..20 {
        let id = drawn();
        let race = (0..24).map(|n| {
            let engine = if n % 2 == 0 { &engine } else { &other };
            let key = format!("{round}-{}", n % 5);
            let request = Create {
                namespace: ["a", "b"][n % 3 % 2].to_owned(),
                idempotency_key: (n % 4 != 3).then_some(key),
                ..named(id, ["x", "y"][n / 12])
            };
            ask(engine, request)
        });
        let answers = futures::future::join_all(race).await;
        let made = answers
            .iter()
            .filter(|it| matches!(it, Ok(Created::Created { .. })));
        assert_eq!(made.count(), 1, "{answers:?}");
        for answer in answers {
            let said = match answer {
                Ok(created) => created.id() == id,
                Err(CreateRefusal::IdempotencyConflict { existing }) => existing == id,
                Err(CreateRefusal::IdConflict { id: given }) => given == id,
                Err(_) => false,
            };
            assert!(said, "{answer:?}");
        }
    }
    let stray: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM execution e WHERE NOT EXISTS (
             SELECT FROM ready r WHERE r.partition = e.partition AND r.execution_id = e.id)",
    )
    .fetch_one(&mut database.connection().await)
    .await
    .expect("the database answers");
    assert_eq!(stray, 0);
    database.assert_invariants().await;
}

/// Hosts of an earlier version kept no digest of a request with an id.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_without_a_request_digest_is_compared_by_its_columns() {
    let (database, engine) = setup().await;
    let id = drawn();
    ask(&engine, named(id, "x")).await.expect("made");
    sqlx::query("UPDATE execution SET request_digest = NULL")
        .execute(&mut database.connection().await)
        .await
        .expect("as it was");
    assert_eq!(
        ask(&engine, named(id, "x")).await,
        Ok(Created::Duplicate { id })
    );
    let other = ask(&engine, named(id, "y")).await;
    assert_eq!(other, Err(CreateRefusal::IdConflict { id }));
    // So is one whose id the engine made.
    let made = ask(&engine, create("z")).await.expect("made").id();
    assert_eq!(
        ask(&engine, named(made, "z")).await,
        Ok(Created::Duplicate { id: made })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_is_at_most_255_bytes_of_text() {
    let (_database, api) = start().await;
    for (key, ok) in [
        (String::new(), false),
        ("k".repeat(255), true),
        ("k".repeat(256), false),
        ("ü".repeat(128), false),
        ("ü".repeat(127), true),
        ("a\0b".to_owned(), false),
        ("tab\tand \u{1f600}".to_owned(), true),
    ] {
        let body = with(word("x"), json!({"idempotency_key": key}));
        let answer = api.post("/v1/executions", body).await;
        assert_eq!(answer.0 == StatusCode::CREATED, ok, "{key:?}: {}", answer.1);
        if !ok {
            assert_eq!(code(&answer), (422, "invalid_input"));
            assert_eq!(answer.1["field"], "idempotency_key");
        }
    }
    // Half of a surrogate pair is not valid text.
    let half = r#"{"kind": "word", "idempotency_key": "\ud800"}"#;
    let request = api
        .client
        .post(format!("{}/v1/executions", api.host.url()))
        .header("content-type", "application/json")
        .body(half);
    let response = request.send().await.expect("the host answers");
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    // A namespace has keys of its own, also where namespace and key spell the same together.
    let at = |namespace: &str, key: &str| {
        with(
            word("x"),
            json!({"namespace": namespace, "idempotency_key": key}),
        )
    };
    let ids = [
        api.create(at("ab", "c")).await,
        api.create(at("a", "bc")).await,
        api.create(at("a", "c")).await,
    ];
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}
