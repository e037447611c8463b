//! Finds the open waitpoint that an operator means.

use model::{SignalRefusal, WaitpointId, WaitpointRef, WaitpointRefusal};

use super::snapshot::read_snapshot;
use crate::operate::Operate;
use crate::{Declined, Engine};

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
    ) -> Result<FoundWaitpoint, Declined<WaitpointRefusal>> {
        let named = [(operate.id, waitpoint)].into_iter().collect();
        let snapshot = read_snapshot(&self.inner.verbs, operate.id, &named).await?;
        let namespace = operate.namespace.as_ref();
        let snapshot = snapshot.filter(|it| namespace.is_none_or(|wanted| *wanted == it.namespace));
        let snapshot = snapshot.ok_or(WaitpointRefusal::ExecutionNotFound)?;
        let found = snapshot
            .target
            .find(waitpoint)
            .map_err(|refusal| match refusal {
                SignalRefusal::WaitpointAmbiguous { open } => {
                    WaitpointRefusal::WaitpointAmbiguous { open }
                }
                _ => WaitpointRefusal::WaitpointNotFound,
            })?;
        if let Some(reason) = found.closed() {
            return Err(WaitpointRefusal::WaitpointClosed { reason }.into());
        }
        Ok(FoundWaitpoint {
            id: found.id,
            key: found.key.clone(),
            namespace: snapshot.namespace,
            epoch: snapshot.epoch,
        })
    }
}
