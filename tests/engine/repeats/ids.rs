//! A request to create with an id of the caller's that is made again: it is answered by
//! the execution that exists, and another request under the id is refused.

use engine::{Create, Created, Engine, LaneState};
use model::{ExecutionId, Partition, Partitions};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Answered, Random};

use super::requests::{ask, drawn, keys, named};
use crate::support::api::{code, with};
use crate::support::http_work::{start, word};
use crate::support::work::{create, setup, text};

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
async fn an_id_of_another_namespace_reveals_nothing_and_binds_no_key() {
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

#[tokio::test(flavor = "multi_thread")]
async fn an_id_must_be_on_a_partition_of_the_instance_and_of_its_key() {
    let database = testkit::database().await;
    let settings = engine::Settings {
        partitions: Some(8),
        ..database.settings()
    };
    let engine = Engine::connect(settings).await.expect("an engine opens");
    engine.define_kind("echo").await.accepted();
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
async fn a_repeat_is_recognized_in_every_state_of_its_lane() {
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
async fn a_repeat_is_recognized_after_its_kind_was_removed() {
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
    // A host that does not know the kind.
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
        .answered();
    assert_eq!(waited, Ok((Created::Duplicate { id }, None)));
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
    // A key that expired answers nothing.
    let lane = engine
        .set_lane("default", Some(LaneState::Draining), None)
        .await;
    lane.accepted();
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
