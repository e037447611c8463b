//! Executions of one kind and a worker that serves them, for the tests of the engine.

use engine::{Claim, Claimed, Complete, Create, Engine, Fail, Operate, Operator, Payload};
use model::{ExecutionId, Failure, FailureClass, Fence};
use testkit::{Answered, Database, database};

use crate::support::lists;

pub(crate) fn text(data: &str) -> Payload {
    Payload::new("text/plain", data)
}

pub(crate) fn create(data: &str) -> Create {
    Create::new("echo", text(data))
}

pub(crate) async fn claim(engine: &Engine, max: u32) -> Vec<Claimed> {
    try_claim(engine, max).await.answered()
}

pub(crate) async fn try_claim(engine: &Engine, max: u32) -> Result<Vec<Claimed>, engine::Error> {
    engine
        .claim(Claim {
            worker_instance_id: "test".to_owned(),
            namespaces: None,
            lanes: Vec::new(),
            kinds: None,
            capabilities: Default::default(),
            max,
            lease_ttl_ms: 30_000,
        })
        .await
}

pub(crate) async fn claim_one(engine: &Engine) -> Claimed {
    let mut claimed = claim(engine, 1).await;
    assert_eq!(claimed.len(), 1, "one execution is ready");
    claimed.remove(0)
}

pub(crate) fn complete(fence: Fence, result: &str) -> Complete {
    Complete {
        fence,
        result: text(result),
        report: Default::default(),
    }
}

/// Completes the execution held under a fence.
pub(crate) async fn completed(engine: &Engine, fence: Fence) {
    let answer = engine.complete(complete(fence, "")).await;
    answer.accepted();
}

pub(crate) fn fail(fence: Fence, class: FailureClass) -> Fail {
    Fail {
        fence,
        failure: Failure::new(class, "broken", "it broke"),
        timed_out: false,
        report: Default::default(),
        known: None,
    }
}

pub(crate) async fn setup() -> (Database, Engine) {
    let database = database().await;
    let engine = database.engine().await;
    (database, engine)
}

pub(crate) fn operate(id: ExecutionId) -> Operate {
    Operate {
        id,
        namespace: None,
        by: Operator {
            actor: "alice".to_owned(),
            reason: Some("a test".to_owned()),
        },
    }
}

/// Returns the database's time.
pub(crate) async fn now(database: &Database) -> time::OffsetDateTime {
    sqlx::query_scalar("SELECT clock_timestamp()")
        .fetch_one(&mut database.connection().await)
        .await
        .expect("the database answers")
}

/// Creates an execution and returns its id.
pub(crate) async fn created(engine: &Engine, create: Create) -> ExecutionId {
    let created = engine.create(create).await;
    created.accepted().id()
}

/// Returns the verbs of operators that were applied to an execution, in order.
pub(crate) async fn operation_verbs(engine: &Engine, id: ExecutionId) -> Vec<String> {
    let operations = lists::operations(engine, id).await;
    assert!(operations.iter().all(|o| o.actor == "alice"));
    operations.into_iter().map(|o| o.verb).collect()
}
