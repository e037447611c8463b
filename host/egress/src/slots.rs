//! How many connections may be open: in all, and to one host.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that may be open. A host that answers slowly occupies its own and no
/// others'.
pub(crate) struct Slots {
    total: Arc<Semaphore>,
    per_host_max: usize,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// The right to one connection, until dropped.
pub(crate) struct Slot<'a> {
    _total: OwnedSemaphorePermit,
    _host: InHost<'a>,
}

/// A place among the connections to one host. The last to leave forgets the host.
struct InHost<'a> {
    slots: &'a Slots,
    host: &'a str,
    semaphore: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Slots {
    /// Allows so many connections in all, and to one host.
    pub(crate) fn new(max: usize, per_host_max: usize) -> Self {
        Self {
            total: Arc::new(Semaphore::new(max)),
            per_host_max,
            hosts: Mutex::default(),
        }
    }

    /// Waits for the right to a connection to `host`.
    pub(crate) async fn take<'a>(&'a self, host: &'a str) -> Slot<'a> {
        const OPEN: &str = "invariant: the semaphore is never closed";
        let semaphore = {
            let mut hosts = self.hosts.lock();
            let new = || Arc::new(Semaphore::new(self.per_host_max));
            Arc::clone(hosts.entry(host.to_owned()).or_insert_with(new))
        };
        let mut in_host = InHost {
            slots: self,
            host,
            semaphore: Some(Arc::clone(&semaphore)),
            permit: None,
        };
        in_host.permit = Some(semaphore.acquire_owned().await.expect(OPEN));
        // The host's first: a request that waits for it holds nothing that others need.
        let total = Arc::clone(&self.total).acquire_owned().await.expect(OPEN);
        Slot {
            _total: total,
            _host: in_host,
        }
    }
}

impl Drop for InHost<'_> {
    fn drop(&mut self) {
        let mut hosts = self.slots.hosts.lock();
        self.permit = None;
        self.semaphore = None;
        // Others hold clones only while they wait or are connected, and clones are made
        // under the lock.
        if hosts
            .get(self.host)
            .is_some_and(|it| Arc::strong_count(it) == 1)
        {
            hosts.remove(self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn waits<F: Future>(future: F) -> bool {
        let within = Duration::from_millis(20);
        tokio::time::timeout(within, future).await.is_err()
    }

    #[tokio::test]
    async fn a_full_host_does_not_hold_back_another() {
        let slots = Slots::new(3, 2);
        let first = slots.take("a").await;
        let _second = slots.take("a").await;
        assert!(waits(slots.take("a")).await, "a host has two");
        let other = slots.take("b").await;
        assert!(waits(slots.take("c")).await, "all have three");
        drop(first);
        assert!(!waits(slots.take("a")).await);
        drop(other);
        assert!(
            !slots.hosts.lock().contains_key("b"),
            "a host without connections is forgotten"
        );
        assert!(!slots.hosts.lock().contains_key("c"));
        assert_eq!(slots.hosts.lock().len(), 1);
    }
}
