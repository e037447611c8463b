//! What the tests of streams share: frames, and how they are appended and read.

use std::time::Duration;

use engine::{Appended, Engine, ReadStream, StreamPage, TailStream};
use model::{
    AppendMode, AppendRefusal, ExecutionId, Fence, FrameId, NewFrame, StreamCursor, StreamFrame,
    Visibility,
};
use sqlx::Executor as _;
use testkit::{Answered, Database, eventually};

pub(super) const LONG: Duration = Duration::from_secs(20);

/// A durable frame.
pub(super) fn frame(text: &str) -> NewFrame {
    NewFrame::new("token", text)
}

/// A patch of the summary.
pub(super) fn patch(json: &str) -> NewFrame {
    NewFrame {
        mode: AppendMode::DurableSummary,
        ..NewFrame::new("summary", json)
    }
}

/// A frame of best effort.
pub(super) fn best_effort(text: &str, ttl_ms: u32) -> NewFrame {
    NewFrame {
        mode: AppendMode::BestEffort { ttl_ms },
        ..frame(text)
    }
}

pub(super) async fn append(engine: &Engine, fence: Fence, frame: NewFrame) -> Appended {
    engine.append_frame(fence, frame).await.accepted()
}

pub(super) async fn refused(engine: &Engine, fence: Fence, frame: NewFrame) -> AppendRefusal {
    engine.append_frame(fence, frame).await.refused()
}

/// Asks for a whole stream.
pub(super) fn whole(id: ExecutionId, attempt: u32) -> ReadStream {
    ReadStream {
        execution_id: id,
        attempt,
        namespace: None,
        from: StreamCursor::Start,
        to: StreamCursor::End,
        count: 10_000,
        visibility: Visibility::All,
    }
}

pub(super) async fn read(engine: &Engine, id: ExecutionId, attempt: u32) -> StreamPage {
    engine.read_stream(&whole(id, attempt)).await.accepted()
}

/// Asks for what comes after a frame, or after the beginning.
pub(super) fn after(id: ExecutionId, attempt: u32, frame: FrameId) -> TailStream {
    TailStream {
        execution_id: id,
        attempt,
        namespace: None,
        after: frame.into(),
        count: 1000,
        visibility: Visibility::All,
        wait: LONG,
    }
}

pub(super) async fn tail(engine: &Engine, request: &TailStream) -> StreamPage {
    engine.tail_stream(request).await.accepted()
}

/// Returns the payloads of a page, as text.
pub(super) fn texts(page: &StreamPage) -> Vec<String> {
    page.frames.iter().map(|frame| text_of(frame)).collect()
}

pub(super) fn text_of(frame: &StreamFrame) -> String {
    String::from_utf8_lossy(&frame.payload).into_owned()
}

/// Returns why a stream is closed.
pub(super) fn why(page: &StreamPage) -> Option<&'static str> {
    page.closed.map(|closed| closed.reason.as_str())
}

/// Waits until so many statements of this database wait for locks.
pub(super) async fn statements_wait(database: &Database, count: i64) {
    let mut connection = database.connection().await;
    eventually("statements wait for locks", async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&mut connection)
        .await
        .expect("the database answers");
        (waiting == count).then_some(())
    })
    .await;
}

/// Runs a statement behind the engine's back.
pub(super) async fn run(database: &Database, statement: &'static str) {
    let mut connection = database.connection().await;
    connection.execute(statement).await.expect(statement);
}

/// Counts the rows of a table.
pub(super) async fn rows(database: &Database, statement: &'static str) -> i64 {
    let mut connection = database.connection().await;
    let count = sqlx::query_scalar(statement).fetch_one(&mut connection);
    count.await.expect(statement)
}
