//! Requests to create with an id or a key of their own.

use engine::{Create, Created, Engine};
use model::{CreateRefusal, ExecutionId, Partition};
use testkit::{Answered, Database, Random};

use crate::support::work::create;

/// Draws an id as a caller would, on the only partition there is.
pub(super) fn drawn() -> ExecutionId {
    let partition = Partition::new(0).expect("the first");
    ExecutionId::from_parts(partition, 1_800_000_000_000, Random::new().bits())
}

pub(super) fn named(id: ExecutionId, input: &str) -> Create {
    Create {
        id: Some(id),
        ..create(input)
    }
}

pub(super) async fn ask(engine: &Engine, create: Create) -> Result<Created, CreateRefusal> {
    engine.create(create).await.answered()
}

pub(super) async fn keys(database: &Database) -> Vec<(String, uuid::Uuid)> {
    sqlx::query_as("SELECT key, execution_id FROM idempotency ORDER BY key")
        .fetch_all(&mut database.connection().await)
        .await
        .expect("the database answers")
}
