//! Finds the open waitpoint that an operator means.

use model::{SignalRefusal, WaitpointId, WaitpointRef, WaitpointRefusal};

use super::snapshot::read_snapshot;
use crate::operate::Operate;
use crate::{Answer, Engine};

/// An open waitpoint, and what is told of its execution.
pub(super) struct FoundWaitpoint {
    pub(super) id: WaitpointId,
    pub(super) key: String,
    pub(super) namespace: String,
    pub(super) epoch: u64,
}

impl Engine {
    /// Finds an open waitpoint for an operator.
    pub(super) async fn find_open_waitpoint(
        &self,
        operate: &Operate,
        waitpoint: &WaitpointRef,
    ) -> Answer<FoundWaitpoint, WaitpointRefusal> {
        let named = [waitpoint].into_iter().collect();
        let snapshot = read_snapshot(&self.inner.verbs, operate.id, &named).await?;
        let namespace = operate.namespace.as_ref();
        let snapshot = snapshot.filter(|it| namespace.is_none_or(|wanted| *wanted == it.namespace));
        let Some(snapshot) = snapshot else {
            return Ok(Err(WaitpointRefusal::ExecutionNotFound));
        };
        let found = match snapshot.target.find(waitpoint) {
            Ok(found) => found,
            Err(SignalRefusal::WaitpointAmbiguous { open }) => {
                return Ok(Err(WaitpointRefusal::WaitpointAmbiguous { open }));
            }
            Err(_) => return Ok(Err(WaitpointRefusal::WaitpointNotFound)),
        };
        if let Some(reason) = found.closed() {
            return Ok(Err(WaitpointRefusal::WaitpointClosed { reason }));
        }
        Ok(Ok(FoundWaitpoint {
            id: found.id,
            key: found.key.clone(),
            namespace: snapshot.namespace,
            epoch: snapshot.epoch,
        }))
    }
}
