//! A database that does not do what it should, while hosts run: it takes no writes,
//! its connections fall silent, it does not answer at all. What was acknowledged stays,
//! service comes back, readiness says what is missing, and a host can always be ended.

use std::time::{Duration, Instant};

use engine::Engine;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};
use testkit::{Fault, Proxy, database, eventually};

use crate::support::api::{Api, builder_at};
use crate::support::server::cluster::cluster;

/// Sets whether the server of a cluster takes writes, also of sessions that are open.
async fn set_read_only(url: &str, on: bool) {
    let mut connection = PgConnection::connect(url).await.expect("connects");
    for statement in [
        if on {
            "ALTER SYSTEM SET default_transaction_read_only = on"
        } else {
            "ALTER SYSTEM SET default_transaction_read_only = off"
        },
        "SELECT pg_reload_conf()",
    ] {
        connection.execute(statement).await.expect("set");
    }
}

/// Returns the parts that keep a host from its work.
async fn troubles(api: &Api) -> Vec<String> {
    let (status, body) = api.get("/readyz").await;
    if status == StatusCode::OK {
        return Vec::new();
    }
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    let troubles = body["troubles"].as_array().expect("a list");
    for trouble in troubles {
        assert!(
            trouble["for_ms"].is_u64() && trouble["why"].is_string(),
            "{trouble}"
        );
    }
    let part = |trouble: &Value| trouble["part"].as_str().expect("a name").to_owned();
    troubles.iter().map(part).collect()
}

async fn metric(api: &Api, line: &str) -> bool {
    let url = format!("{}/metrics", api.host.url());
    let page = api.client.get(url).send().await.expect("answered");
    page.text()
        .await
        .expect("text")
        .lines()
        .any(|it| it == line)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_outcome_is_recorded_after_the_database_was_read_only() {
    let (cluster, _folder) = tokio::task::spawn_blocking(cluster).await.expect("started");
    let url = cluster.url("flowhost");
    let api = Api::start(builder_at(&url), &["slow", "echo"]).await;
    let id = api
        .create(json!({"kind": "slow", "input_text": "1500"}))
        .await;
    api.until(&id, "active").await;
    set_read_only(&url, true).await;
    let create = json!({"kind": "echo", "input_text": "x", "idempotency_key": "k"});
    eventually("writes are refused", async || {
        let request = api.client.post(format!("{}/v1/executions", api.host.url()));
        let response = request.json(&create).send().await.expect("answered");
        let refused = response.status() == StatusCode::SERVICE_UNAVAILABLE;
        (refused && response.headers().contains_key("retry-after")).then_some(())
    })
    .await;
    let (status, problem) = api.post("/v1/executions", create.clone()).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable"))
    );
    let parts = troubles(&api).await;
    assert!(parts.contains(&"writes".to_owned()), "{parts:?}");
    assert!(metric(&api, "flowhost_database_up 0").await);
    assert_eq!(api.get("/healthz").await.0, StatusCode::OK);
    // The handler ends while nothing can be written.
    eventually("the handler has ended", async || {
        metric(&api, "flowhost_attempts_ended_total{end=\"completed\"} 1")
            .await
            .then_some(())
    })
    .await;
    assert_eq!(
        api.get(&format!("/v1/executions/{id}")).await.1["public_state"],
        "active"
    );
    set_read_only(&url, false).await;
    let info = api.wait(&id).await;
    assert_eq!(
        (&info["public_state"], &info["attempts"]),
        (&json!("completed"), &json!(1)),
        "{info}"
    );
    eventually("the host is ready again", async || {
        troubles(&api).await.is_empty().then_some(())
    })
    .await;
    assert!(metric(&api, "flowhost_database_up 1").await);
    let (status, body) = api.post("/v1/executions", create).await;
    assert!(status.is_success(), "{body}");
    drop(api);
    tokio::task::spawn_blocking(|| cluster.stop())
        .await
        .expect("joined")
        .expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn silent_connections_are_dropped_and_service_is_back_in_seconds() {
    let database = database().await;
    let proxy = Proxy::start(database.url()).await;
    let api = Api::start(builder_at(proxy.url()), &["echo"]).await;
    // Many at once, so that there are many connections to lose.
    let runs = (0..24).map(|_| api.run(json!({"kind": "echo", "input_text": "x"})));
    futures::future::join_all(runs).await;
    proxy.swallow_open_connections();
    let began = Instant::now();
    let create = json!({"kind": "echo", "input_text": "after", "idempotency_key": "k"});
    eventually("something is run again", async || {
        let (status, body) = api.post("/v1/executions", create.clone()).await;
        if !status.is_success() {
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
            return None;
        }
        let id = body["id"].as_str().expect("an id").to_owned();
        let info = api.wait(&id).await;
        assert_eq!(info["public_state"], "completed", "{info}");
        Some(())
    })
    .await;
    let took = began.elapsed();
    println!("service was back after {} ms", took.as_millis());
    assert!(took < Duration::from_secs(12), "{took:?}");
    eventually("the host is ready", async || {
        troubles(&api).await.is_empty().then_some(())
    })
    .await;
    database.assert_invariants().await;
}

/// Asks a host to end and returns how long it took.
fn end(api: &mut Api, signals: &[&str]) -> Duration {
    let began = Instant::now();
    for (at, signal) in signals.iter().enumerate() {
        if at > 0 {
            // Two signals at once may be delivered as one.
            std::thread::sleep(Duration::from_millis(300));
        }
        api.host.signal(signal);
    }
    let code = api.host.exit_code();
    assert_eq!(code, Some(0), "{}", api.host.log());
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_stops_within_its_grace_whether_or_not_its_database_answers() {
    let database = database().await;
    let slow = json!({"kind": "slow", "input_text": "60000"});
    for (signals, grace, most) in [
        (&["TERM"][..], "2s", Duration::from_secs(10)),
        // The second one skips the grace.
        (&["TERM", "INT"], "50s", Duration::from_secs(5)),
    ] {
        let proxy = Proxy::start(database.url()).await;
        let builder = builder_at(proxy.url()).argument("--grace").argument(grace);
        let mut api = Api::start(builder, &["slow"]).await;
        let id = api.create(slow.clone()).await;
        api.until(&id, "active").await;
        proxy.set(Fault::Stall);
        let took = tokio::task::block_in_place(|| end(&mut api, signals));
        assert!(took < most, "{signals:?} took {took:?}\n{}", api.host.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readiness_reports_a_silent_database_and_its_return() {
    let database = database().await;
    let proxy = Proxy::start(database.url()).await;
    let api = Api::start(builder_at(proxy.url()), &["echo"]).await;
    proxy.set(Fault::Stall);
    let began = Instant::now();
    let parts = eventually("the host says that it is not ready", async || {
        let parts = troubles(&api).await;
        (!parts.is_empty()).then_some(parts)
    })
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert!(parts.contains(&"database".to_owned()), "{parts:?}");
    let create = json!({"kind": "echo", "input_text": "x", "idempotency_key": "k"});
    let asked = Instant::now();
    let (status, body) = api
        .ask(Method::POST, "/v1/executions", Some(create.clone()))
        .await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert!(
        asked.elapsed() < Duration::from_secs(20),
        "{:?}",
        asked.elapsed()
    );
    proxy.set(Fault::None);
    let back = Instant::now();
    eventually("the host is ready again", async || {
        troubles(&api).await.is_empty().then_some(())
    })
    .await;
    let (status, body) = api.post("/v1/executions", create).await;
    assert!(status.is_success(), "{body}");
    assert!(
        back.elapsed() < Duration::from_secs(10),
        "{:?}",
        back.elapsed()
    );
    api.wait(body["id"].as_str().expect("an id")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn waiting_clients_of_a_draining_host_are_told_when_to_retry() {
    let database = database().await;
    let mut api = Api::start(builder_at(database.url()), &["slow"]).await;
    let id = api
        .create(json!({"kind": "slow", "input_text": "2000"}))
        .await;
    api.until(&id, "active").await;
    let url = api.host.url().to_owned();
    let wait = format!("{url}/v1/executions/{id}/wait");
    // Clients that ask again at once, unless they are told to pause.
    let waiting = (0..2).map(|_| {
        let request = api.client.get(wait.clone());
        client(move || request.try_clone().expect("no stream"))
    });
    let claim = api
        .client
        .post(format!("{url}/v1/workers/w/claim"))
        .json(&json!({"kinds": ["nothing"], "wait_ms": 20_000}));
    let claiming = client(move || claim.try_clone().expect("no stream"));
    let clients: Vec<_> = waiting.map(tokio::spawn).collect();
    let claimer = tokio::spawn(claiming);
    eventually("they wait", async || {
        metric(&api, "flowhost_http_in_flight 4")
            .await
            .then_some(())
    })
    .await;
    api.host.signal("TERM");
    eventually("the host says that it drains", async || {
        let parts = troubles(&api).await;
        parts.contains(&"draining".to_owned()).then_some(())
    })
    .await;
    let code = tokio::task::block_in_place(|| api.host.exit_code());
    assert_eq!(code, Some(0), "{}", api.host.log());
    let (mut requests, mut seen) = (0, Vec::new());
    for task in clients {
        let (sent, last) = task.await.expect("joined");
        requests += sent;
        seen.push(last);
    }
    // Each sees the end of what it waits for, on the host that runs it.
    assert_eq!(seen, [StatusCode::OK, StatusCode::OK]);
    requests += claimer.await.expect("joined").0;
    println!("{requests} requests of three clients");
    assert!(requests < 10, "{requests} requests");
}

/// Sends a request again and again until the execution has ended or the host has;
/// returns how many it sent and the last status.
async fn client(request: impl Fn() -> reqwest::RequestBuilder) -> (u32, StatusCode) {
    let (mut sent, mut last) = (0, StatusCode::CONTINUE);
    while let Ok(response) = request().send().await {
        sent += 1;
        last = response.status();
        if last == StatusCode::OK && response.url().path().ends_with("/wait") {
            break;
        }
        if let Some(after) = response.headers().get("retry-after") {
            let seconds = after.to_str().expect("text").parse().expect("seconds");
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
    }
    (sent, last)
}

/// A time near the end of the calendar is before it in one zone and past it in another.
/// Converted where a statement is built, it made what flushes creations panic.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_written_fails_no_other_of_its_batch() {
    let database = database().await;
    let api = Api::start(builder_at(database.url()), &["echo"]).await;
    for _ in 0..4 {
        let impossible =
            json!({"kind": "echo", "input_text": "x", "delay_until": "9999-12-31T23:59:59-01:00"});
        let (asked, fine) = futures::join!(
            api.post("/v1/executions", impossible),
            api.post("/v1/executions", json!({"kind": "echo", "input_text": "x"})),
        );
        let (status, problem) = asked;
        assert!(
            status.is_client_error() || status == StatusCode::INTERNAL_SERVER_ERROR,
            "{problem}"
        );
        assert_eq!(fine.0, StatusCode::CREATED, "{}", fine.1);
    }
    assert_eq!(troubles(&api).await, [""; 0]);
    let info = api.run(json!({"kind": "echo", "input_text": "x"})).await;
    assert_eq!(info["public_state"], "completed", "{info}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_another_encoding_is_rejected_with_its_name() {
    let database = database().await;
    let mut connection = database.connection().await;
    let name = format!("fh_ascii_{}", std::process::id());
    let create = format!(
        "CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    );
    connection
        .execute(sqlx::AssertSqlSafe(create))
        .await
        .expect("created");
    let url = database.url().replace(
        database.url().split(['/', '?']).nth(3).expect("a name"),
        &name,
    );
    let refused = Engine::connect(engine::Settings {
        database_url: url,
        migrate: true,
        ..database.settings()
    })
    .await
    .expect_err("it holds any bytes");
    assert!(refused.to_string().contains("server_encoding"), "{refused}");
    connection
        .execute(sqlx::AssertSqlSafe(format!("DROP DATABASE {name}")))
        .await
        .expect("dropped");
}
