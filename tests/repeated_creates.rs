//! A request to create that is made again: by its key or by an id of the caller's, it
//! is answered by what the first made, and another request under the same name is
//! refused.

use engine::{Create, Created, Engine, LaneState};
use model::{CreateRefusal, ExecutionId, Partition, Partitions};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Database, Random};

use crate::api::{code, with};
use crate::http_work::{start, word};
use crate::work::{create, setup, text};

/// Draws an id as a caller would, on the only partition there is.
fn drawn() -> ExecutionId {
    let partition = Partition::new(0).expect("the first");
    ExecutionId::from_parts(partition, 1_800_000_000_000, Random::new().bits())
}

fn named(id: ExecutionId, input: &str) -> Create {
    Create {
        id: Some(id),
        ..create(input)
    }
}

async fn ask(engine: &Engine, create: Create) -> Result<Created, CreateRefusal> {
    engine.create(create).await.expect("asked")
}

async fn keys(database: &Database) -> Vec<(String, uuid::Uuid)> {
    sqlx::query_as("SELECT key, execution_id FROM idempotency ORDER BY key")
        .fetch_all(&mut database.connection().await)
        .await
        .expect("asked")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_exists_is_a_repeat_only_of_the_same_request() {
    let (_database, api) = start().await;
    let id = drawn().to_string();
    let first = with(
        word("x"),
        json!({"id": id, "tags": {"app.a": "1"}, "delay_ms": 60_000}),
    );
    let (status, made) = api.post("/v1/executions", first.clone()).await;
    assert_eq!(
        (status, &made["duplicate"]),
        (StatusCode::CREATED, &json!(false))
    );
    // Labels are changed later; what was asked for stays.
    let tags = json!({"tags": {"app.a": "2"}});
    api.ask(
        Method::PATCH,
        &format!("/v1/executions/{id}/tags"),
        Some(tags),
    )
    .await;
    for path in ["/v1/executions", "/v1/executions/batch"] {
        let body = match path {
            "/v1/executions" => first.clone(),
            _ => json!({"executions": [first.clone()]}),
        };
        let (status, again) = api.post(path, body).await;
        assert_eq!(status, StatusCode::OK, "{again}");
        let again = again["results"][0]["execution"]
            .as_object()
            .map_or(again.clone(), |it| Value::Object(it.clone()));
        assert_eq!(again["duplicate"], json!(true), "{again}");
        assert_eq!(again["id"], json!(id));
    }
    for other in [
        json!({"input_text": "y"}),
        json!({"tags": {}}),
        json!({"delay_ms": 60_001}),
        json!({"priority": 1}),
        json!({"policy": {"retry_policy": {"max_retries": 0}}}),
    ] {
        let answer = api
            .post("/v1/executions", with(first.clone(), other.clone()))
            .await;
        assert_eq!(code(&answer), (409, "id_conflict"), "{other}: {}", answer.1);
        assert_eq!(answer.1["id"], json!(id));
    }
    let raw = format!("/v1/executions?kind=word&id={id}");
    let answer = api.ask(Method::POST, &raw, None).await;
    assert_eq!(code(&answer), (409, "id_conflict"), "{}", answer.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_ids_of_our_form_can_be_created() {
    let (_database, api) = start().await;
    for (id, why) in [
        ("00000000-0000-0000-0000-000000000000", "version 7"),
        ("9b2e4f6a-1c3d-4e5f-8a7b-0c1d2e3f4a5b", "version 7"),
        ("01990000-0000-7000-0000-000000000000", "version 7"),
        ("01990000-0000-7abc-8000-000000000000", "partition 2748"),
        (
            "{fp:2748}:01990000-0000-7abc-8000-000000000000",
            "partition 2748",
        ),
    ] {
        let answer = api
            .post("/v1/executions", with(word("x"), json!({"id": id})))
            .await;
        assert_eq!(code(&answer), (422, "invalid_input"), "{id}: {}", answer.1);
        assert_eq!(answer.1["field"], "id");
        let detail = answer.1["detail"].as_str().expect("a text");
        assert!(detail.contains(why), "{id}: {detail}");
        // Read, such an id is that of no execution.
        let (status, _) = api.get(&format!("/v1/executions/{id}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    let id = drawn();
    let tagged = with(word("x"), json!({"id": format!("{{fp:0}}:{id}")}));
    assert_eq!(api.create(tagged).await, id.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_another_namespace_tells_nothing_and_takes_no_key() {
    let (database, api) = start().await;
    let id = drawn().to_string();
    let mine = with(word("secret"), json!({"id": id, "namespace": "a"}));
    api.create(mine.clone()).await;
    let absent = with(word("x"), json!({"id": id, "namespace": "a"}));
    let own = api.post("/v1/executions", absent).await;
    for body in [word("x"), word("secret")] {
        let theirs = with(
            body,
            json!({"id": id, "namespace": "b", "idempotency_key": "k"}),
        );
        let answer = api.post("/v1/executions", theirs).await;
        assert_eq!(code(&answer), (409, "id_conflict"), "{}", answer.1);
        assert_eq!(answer.1, own.1, "it is not told where the execution is");
    }
    assert_eq!(keys(&database).await, [], "no key was bound");
    let fresh = with(word("x"), json!({"namespace": "b", "idempotency_key": "k"}));
    let made = api.create(fresh.clone()).await;
    assert_ne!(made, id);
    let (status, again) = api.post("/v1/executions", fresh).await;
    assert_eq!((status, &again["id"]), (StatusCode::OK, &json!(made)));
    database.assert_invariants().await;
}

/// In one namespace, too, a new key is not bound to an execution that another key made.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_bound_only_to_what_it_made() {
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
/// is bound to an execution that does not have it; it is found out and set free.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_lost_a_race_for_an_id_is_free() {
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
    .expect("asked");
    assert_eq!(stray, 0);
    database.assert_invariants().await;
}

/// Hosts of an earlier version kept no digest of a request with an id.
#[tokio::test(flavor = "multi_thread")]
async fn an_execution_without_a_digest_is_compared_by_what_is_kept() {
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
async fn an_id_is_on_a_partition_of_the_instance_and_on_that_of_its_key() {
    let database = testkit::database().await;
    let settings = engine::Settings {
        partitions: Some(8),
        ..database.settings()
    };
    let engine = Engine::connect(settings).await.expect("an engine opens");
    engine
        .define_kind("echo")
        .await
        .expect("asked")
        .expect("valid");
    let on = |number| {
        let partition = Partition::new(number).expect("small");
        ExecutionId::from_parts(partition, 1_800_000_000_000, Random::new().bits())
    };
    let of_key = Partitions::new(8).expect("small").of_key("default", "k");
    for number in 0..8 {
        let request = Create {
            idempotency_key: Some("k".to_owned()),
            ..named(on(number), "x")
        };
        let answer = ask(&engine, request).await;
        assert_eq!(
            answer.is_ok(),
            number == of_key.number(),
            "{number}: {answer:?}"
        );
    }
    let refused = ask(&engine, named(on(8), "x"))
        .await
        .expect_err("there are eight");
    assert!(refused.to_string().contains("partition 8"), "{refused}");
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_recognised_whatever_became_of_its_lane() {
    let (database, api) = start().await;
    let keyed = with(word("x"), json!({"idempotency_key": "k", "lane": "side"}));
    let id = drawn().to_string();
    let with_id = with(word("x"), json!({"id": id, "lane": "side"}));
    let first = api.create(keyed.clone()).await;
    assert_eq!(api.create(with_id.clone()).await, id);
    for state in ["draining", "disabled", "paused"] {
        let set = api
            .ask(Method::PUT, "/v1/lanes/side", Some(json!({"state": state})))
            .await;
        assert_eq!(set.0, StatusCode::OK, "{}", set.1);
        for (body, id) in [(&keyed, &first), (&with_id, &id)] {
            let (status, again) = api.post("/v1/executions", body.clone()).await;
            assert_eq!(
                (status, &again["id"]),
                (StatusCode::OK, &json!(id)),
                "{state}: {again}"
            );
            let (status, again) = api
                .post("/v1/executions/batch", json!({"executions": [body]}))
                .await;
            assert_eq!(
                (status, &again["results"][0]["status"]),
                (StatusCode::OK, &json!(200)),
                "{state}"
            );
        }
        if state == "paused" {
            continue;
        }
        let other = with(keyed.clone(), json!({"input_text": "y"}));
        let answer = api.post("/v1/executions", other).await;
        assert_eq!(code(&answer), (409, "idempotency_conflict"), "{state}");
        for new in [
            json!({}),
            json!({"idempotency_key": "new"}),
            json!({"id": drawn()}),
        ] {
            let body = with(with(word("x"), json!({"lane": "side"})), new);
            let answer = api.post("/v1/executions", body).await;
            assert_eq!(code(&answer), (409, "lane_disabled"), "{}", answer.1);
            assert_eq!(answer.1["state"], state);
            let detail = answer.1["detail"].as_str().expect("a text");
            assert!(detail.contains(state), "{detail}");
        }
    }
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_recognised_although_its_kind_is_not_known_any_more() {
    let (database, engine) = setup().await;
    let keyed = Create {
        idempotency_key: Some("k".to_owned()),
        ..create("x")
    };
    let id = ask(&engine, keyed.clone()).await.expect("made").id();
    let mut connection = database.connection().await;
    sqlx::query("DELETE FROM kind")
        .execute(&mut connection)
        .await
        .expect("no kinds");
    // A host that never heard of the kind.
    let other = Engine::connect(database.settings()).await.expect("opens");
    assert_eq!(
        ask(&other, keyed.clone()).await,
        Ok(Created::Duplicate { id })
    );
    let waited = other
        .create_and_wait(
            keyed.clone(),
            std::time::Duration::ZERO,
            std::future::pending(),
        )
        .await
        .expect("asked");
    assert_eq!(waited, Ok((Created::Duplicate { id }, false)));
    let different = Create {
        input: text("y"),
        ..keyed
    };
    let refused = ask(&other, different).await.expect_err("another request");
    assert_eq!(refused.code(), "idempotency_conflict");
    let refused = ask(&other, create("x"))
        .await
        .expect_err("nothing handles it");
    assert_eq!(refused.code(), "unknown_kind");
    // A key that was forgotten is no answer.
    let lane = engine
        .set_lane("default", Some(LaneState::Draining), None)
        .await;
    lane.expect("asked").expect("set");
    database
        .advance(std::time::Duration::from_secs(90_000))
        .await;
    let forgotten = Create {
        idempotency_key: Some("k".to_owned()),
        ..create("x")
    };
    let refused = ask(&engine, forgotten)
        .await
        .expect_err("its key is forgotten");
    assert_eq!(refused.code(), "lane_disabled");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_tight() {
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
    // Half a character is no text at all.
    let lone = r#"{"kind": "word", "idempotency_key": "\ud800"}"#;
    let request = api
        .client
        .post(format!("{}/v1/executions", api.host.url()))
        .header("content-type", "application/json")
        .body(lone);
    let response = request.send().await.expect("the host answers");
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    // A namespace has keys of its own, whatever the two spell together.
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
