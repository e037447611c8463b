//! What belongs to an execution, each list read to its end.

use engine::{
    Attempt, Engine, Error, HistoryEntry, OperationEntry, Page, SignalInfo, SuspensionInfo,
    WaitpointInfo,
};
use model::ExecutionId;
use testkit::Answered as _;

pub(crate) async fn attempts(engine: &Engine, id: ExecutionId) -> Vec<Attempt> {
    whole(engine.attempts(id, None, None, 1000).await)
}

pub(crate) async fn history(engine: &Engine, id: ExecutionId) -> Vec<HistoryEntry> {
    whole(engine.history(id, None, None, 1000).await)
}

pub(crate) async fn operations(engine: &Engine, id: ExecutionId) -> Vec<OperationEntry> {
    whole(engine.operations(id, None, None, 1000).await)
}

pub(crate) async fn suspensions(engine: &Engine, id: ExecutionId) -> Vec<SuspensionInfo> {
    whole(engine.suspensions(id, None, None, 1000).await)
}

pub(crate) async fn signals(engine: &Engine, id: ExecutionId) -> Vec<SignalInfo> {
    whole(engine.signals(id, None, None, 256).await)
}

pub(crate) async fn waitpoints(engine: &Engine, id: ExecutionId) -> Vec<WaitpointInfo> {
    whole(engine.waitpoints(id, None, None, None, 1000).await)
}

fn whole<T, P>(page: Result<Option<Page<T, P>>, Error>) -> Vec<T> {
    let page = page.answered().expect("known");
    assert!(page.next().is_none(), "one page has all");
    assert_eq!(page.unreadable, []);
    page.rows
}
