//! A running worker as its owner holds it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Worker;
use super::state::millis;

/// Longest wait for the leases of stopped guests to be returned.
const RETURN_WAIT_MAX: Duration = Duration::from_secs(2);

/// A running worker. Dropping it stops claiming; attempts that run end by themselves.
pub struct WorkerHandle {
    worker: Arc<Worker>,
}

impl WorkerHandle {
    pub(crate) fn new(worker: Arc<Worker>) -> Self {
        Self { worker }
    }

    /// Returns how many attempts hold a slot now.
    pub fn running(&self) -> usize {
        self.worker.running()
    }

    /// Returns the kinds the worker or one of its services claims now: those
    /// whose components are loaded.
    pub fn kinds(&self) -> Vec<String> {
        let routes = self.worker.routes();
        let of_services = routes.services().values().flat_map(|route| &route.kinds);
        routes
            .claimable()
            .iter()
            .chain(of_services)
            .cloned()
            .collect()
    }

    /// Has the routes read again now rather than within a second.
    pub fn refresh(&self) {
        self.worker.routes_wakeup.notify_one();
    }

    /// Stops claiming, tells services to end, and waits for the attempts that
    /// run. What still runs after `grace` is stopped and its leases are returned,
    /// so that another worker can claim them immediately. Returns how many those were.
    ///
    /// Once `hurry` returns, the grace is over, and a database that does not answer is
    /// not waited for any longer.
    pub async fn drain(self, grace: Duration, hurry: impl Future<Output = ()>) -> usize {
        let mut hurry = std::pin::pin!(hurry);
        let worker = &self.worker;
        worker
            .retire_grace_ms
            .store(millis(grace), Ordering::Relaxed);
        worker.stop_claiming();
        tokio::select! {
            () = worker.wait_until_closed() => return 0,
            () = tokio::time::sleep(grace) => {}
            () = &mut hurry => {}
        }
        worker.forced_stop.send_replace(true);
        let late = worker.held(|_| true).len();
        worker.stop_all();
        // A stopped guest ends within a tick; what may take longer is a
        // database that does not answer, and then the leases expire.
        let _ = tokio::time::timeout(RETURN_WAIT_MAX, worker.wait_until_closed()).await;
        worker.closed.store(true, Ordering::Relaxed);
        late
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.worker.stop_claiming();
        self.worker.close_if_done();
    }
}
