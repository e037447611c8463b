//! Turns at one flow: those of this host that would change it wait for each other here, and
//! not by trying in vain.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use model::FlowId;
use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// The flows that are being changed, or waited for.
#[derive(Default)]
pub(crate) struct FlowTurns(Mutex<HashMap<FlowId, Weak<Turn<()>>>>);

impl FlowTurns {
    /// Waits for a turn at a flow, which ends when the guard is dropped.
    pub(super) async fn take(&self, flow: FlowId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock();
            let known = turns.get(&flow).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                turns.retain(|_, turn| turn.strong_count() > 0);
                let turn = Arc::new(Turn::new(()));
                turns.insert(flow, Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }
}
