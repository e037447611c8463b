//! What stands between a host and its server: poolers that drop what connections ask
//! for, or share sessions, or keep notifications; a TLS that cannot be spoken; and
//! defaults of a database that are not those of a new one.

use std::time::Duration;

use engine::{Complete, Create, Engine, Payload, Settings, WakeUps};
use serde_json::json;
use sqlx::Executor as _;
use testkit::{Answered, Database, Pooling, Proxy, Tls, database, eventually};

use crate::support::api::{Api, builder_at};
use crate::support::work::try_claim;

async fn through(database: &Database, proxy: &Proxy) -> Result<Engine, engine::Error> {
    Engine::connect(Settings {
        database_url: proxy.url().to_owned(),
        ..database.settings()
    })
    .await
}

/// Gives a database defaults that statements must not be run under.
async fn give_odd_defaults(database: &Database) {
    let mut connection = database.connection().await;
    let name: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(&mut connection)
        .await
        .expect("the database answers");
    for setting in [
        "default_transaction_isolation = 'serializable'",
        "timezone = 'Asia/Kathmandu'",
        "enable_indexscan = off",
        "enable_nestloop = off",
        "plan_cache_mode = 'force_custom_plan'",
        "statement_timeout = '400ms'",
        "lock_timeout = '1ms'",
        "idle_session_timeout = '100ms'",
    ] {
        let statement = format!("ALTER DATABASE {name} SET {setting}");
        connection
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .expect("set");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn session_settings_do_not_depend_on_defaults_of_the_database() {
    let database = database().await;
    give_odd_defaults(&database).await;
    let proxy = Proxy::start(database.url()).await;
    proxy.pool(Pooling::StartupDropped);
    let engine = through(&database, &proxy).await.expect("opens");
    engine.define_kind("echo").await.accepted();
    // Longer than an idle session may last by default.
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Creating and completing at once conflict where transactions are serializable.
    let creating: Vec<_> = (0..8)
        .map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    let create = Create::new("echo", Payload::new("text/plain", "x"));
                    engine.create(create).await.accepted();
                }
            })
        })
        .collect();
    let mut completed = 0;
    while completed < 200 {
        let claimed = try_claim(&engine, 20)
            .await
            .expect("the database is available");
        let completing = claimed.into_iter().map(|claimed| {
            engine.complete(Complete {
                fence: claimed.fence,
                result: claimed.input,
                report: Default::default(),
            })
        });
        for done in futures::future::join_all(completing).await {
            done.accepted();
            completed += 1;
        }
    }
    for task in creating {
        task.await.expect("joined");
    }
    assert!(engine.troubles().await.is_empty());
    engine.close().await;
    database.assert_invariants().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_pooler_is_rejected_with_an_explanation() {
    let database = database().await;
    let proxy = Proxy::start(database.url()).await;
    proxy.pool(Pooling::Transaction);
    let refused = through(&database, &proxy)
        .await
        .expect_err("sessions are shared");
    assert!(
        refused.to_string().contains("pool_mode = session"),
        "{refused}"
    );
    proxy.pool(Pooling::Session);
    let engine = through(&database, &proxy).await.expect("each has its own");
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_notifications_reports_it_and_finds_work_by_polling() {
    let database = database().await;
    let proxy = Proxy::start(database.url()).await;
    let engine = Engine::connect(Settings {
        listen_url: Some(proxy.url().to_owned()),
        ..database.settings()
    })
    .await
    .expect("opens");
    let becomes = async |engine: &Engine, state| {
        eventually("it knows what becomes of wake-ups", async || {
            (engine.wake_ups() == state).then_some(())
        })
        .await;
    };
    becomes(&engine, WakeUps::Arriving).await;
    engine.close().await;

    // Notifications come between turns, when no connection reads.
    proxy.pool(Pooling::Transaction);
    let api = Api::start(
        builder_at(database.url()).environment("FLOWHOST_DATABASE_LISTEN_URL", proxy.url()),
        &["echo"],
    )
    .await;
    let metric = async |line: &str| {
        let page = api.client.get(format!("{}/metrics", api.host.url()));
        let page = page.send().await.expect("answered").text().await;
        page.expect("text").lines().any(|it| it == line)
    };
    eventually("its metrics say that it is deaf", async || {
        metric("flowhost_wake_ups{state=\"deaf\"} 1")
            .await
            .then_some(())
    })
    .await;
    let info = api.run(json!({"kind": "echo", "input_text": "x"})).await;
    assert_eq!(info["public_state"], "completed", "{info}");
    assert_eq!(api.get("/readyz").await.0, 200, "a lost hint does no harm");

    let engine = Engine::connect(Settings {
        wake_ups: false,
        ..database.settings()
    })
    .await
    .expect("opens");
    assert_eq!(engine.wake_ups(), WakeUps::Off);
    let create = Create::new("echo", Payload::new("text/plain", "y"));
    let id = engine.create(create).await.accepted().id();
    // The other host learns of it by looking.
    assert!(
        engine
            .wait_finished(id, Duration::from_secs(30))
            .await
            .answered()
    );
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsupported_tls_is_skipped_unless_it_is_required() {
    let database = database().await;
    let proxy = Proxy::start(database.url()).await;
    proxy.tls(Tls::Broken);
    let url = |mode: &str| {
        let url = proxy.url().split('?').next().expect("a URL").to_owned();
        format!("{url}?sslmode={mode}")
    };
    for mode in ["prefer", "disable"] {
        let engine = Engine::connect(Settings {
            database_url: url(mode),
            ..database.settings()
        })
        .await;
        engine
            .unwrap_or_else(|error| panic!("{mode}: {error}"))
            .close()
            .await;
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let refused = Engine::connect(Settings {
            database_url: url(mode),
            ..database.settings()
        })
        .await;
        let error = refused.expect_err("no TLS can be had");
        assert!(error.is_unavailable(), "{mode}: {error}");
    }
}
