//! Flows of which something is to be resolved: members of theirs ended on this host.

use std::collections::BTreeSet;

use model::FlowId;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Wake;

/// Flows that the resolver of this host has not come to yet.
#[derive(Default)]
pub(super) struct Flows {
    due: Mutex<BTreeSet<FlowId>>,
    added: Notify,
}

impl Wake {
    /// Members of these flows ended, or are to be cancelled.
    pub(crate) fn flows_due(&self, flows: impl IntoIterator<Item = FlowId>) {
        let mut flows = flows.into_iter().peekable();
        if flows.peek().is_some() {
            self.inner.flows.due.lock().extend(flows);
            self.inner.flows.added.notify_one();
        }
    }

    /// Waits for such flows and takes them all, in the order of their ids.
    pub(crate) async fn take_due_flows(&self) -> BTreeSet<FlowId> {
        loop {
            let due = std::mem::take(&mut *self.inner.flows.due.lock());
            if !due.is_empty() {
                return due;
            }
            self.inner.flows.added.notified().await;
        }
    }
}
