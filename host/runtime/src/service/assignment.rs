//! What one sandbox of a service is there for.

use std::sync::Arc;

use model::Digest;
use tokio::sync::watch;

/// A component and the kinds that one sandbox of it claims.
pub(super) struct ServiceAssignment {
    pub(super) digest: Digest,
    /// The component's number within the instance.
    pub(super) component_id: i32,
    /// The kinds routed to the component; empty once the sandbox is to end.
    kinds: watch::Sender<Arc<[String]>>,
}

impl ServiceAssignment {
    pub(super) fn new(digest: Digest, component_id: i32, kinds: &[String]) -> Self {
        Self {
            digest,
            component_id,
            kinds: watch::Sender::new(kinds.into()),
        }
    }

    /// Returns the kinds to claim, as they change.
    pub(super) fn kinds(&self) -> watch::Receiver<Arc<[String]>> {
        self.kinds.subscribe()
    }

    /// Whether it claims executions of this kind.
    pub(super) fn claims(&self, kind: &str) -> bool {
        self.kinds.borrow().iter().any(|claimed| claimed == kind)
    }

    /// Whether the sandbox is to end.
    pub(super) fn is_retired(&self) -> bool {
        self.kinds.borrow().is_empty()
    }

    /// Changes the kinds; none retires the assignment for good.
    pub(super) fn assign(&self, kinds: &[String]) {
        self.kinds.send_if_modified(|now| {
            let changes = !now.is_empty() && **now != *kinds;
            if changes {
                *now = kinds.into();
            }
            changes
        });
    }

    /// Waits until the sandbox is to end.
    pub(super) async fn retired(&self) {
        // The sender is here, so waiting cannot fail.
        let _ = self.kinds().wait_for(|kinds| kinds.is_empty()).await;
    }
}
