//! Waking whoever waits: within this host at once, on other hosts by a
//! notification.
//!
//! A wake-up is a hint; everybody who waits also polls. A notification inside a
//! writing transaction takes a lock that every commit of the server queues for
//! (measured: 4 to 30 times fewer commits), so notifications are sent by one
//! connection outside any write, at most one per [`PAUSE`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::ExecutionId;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::{Notify, broadcast, watch};
use tracing::{debug, warn};

/// Least time between two notifications.
const PAUSE: Duration = Duration::from_millis(10);
/// Channel on which hosts tell each other.
const CHANNEL: &str = "flowhost";
/// Ids one notification carries; 8000 bytes is the server's bound.
const IDS_MAX: usize = 200;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Wake {
    inner: Arc<WakeInner>,
}

struct WakeInner {
    ready: watch::Sender<u64>,
    lost: broadcast::Sender<ExecutionId>,
    waiters: Mutex<HashMap<ExecutionId, Arc<Notify>>>,
    outbox: Mutex<Outbox>,
    flush: Notify,
    stop: watch::Sender<bool>,
}

#[derive(Default)]
struct Outbox {
    ready: bool,
    lost: Vec<ExecutionId>,
}

impl Wake {
    /// Starts the tasks that send and receive notifications.
    pub(crate) fn start(options: PgConnectOptions) -> Self {
        let wake = Self {
            inner: Arc::new(WakeInner {
                ready: watch::Sender::new(0),
                lost: broadcast::Sender::new(4096),
                waiters: Mutex::default(),
                outbox: Mutex::default(),
                flush: Notify::new(),
                stop: watch::Sender::new(false),
            }),
        };
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy_with(options);
        tokio::spawn(wake.clone().send_notifications(pool.clone()));
        tokio::spawn(wake.clone().receive_notifications(pool));
        wake
    }

    pub(crate) fn stop(&self) {
        self.inner.stop.send_replace(true);
    }

    /// Work may be ready.
    pub(crate) fn ready(&self) {
        self.inner.ready.send_modify(|n| *n = n.wrapping_add(1));
        self.outbox().ready = true;
        self.inner.flush.notify_one();
    }

    /// This execution was taken from whoever ran it.
    pub(crate) fn lost(&self, id: ExecutionId) {
        let _ = self.inner.lost.send(id);
        self.outbox().lost.push(id);
        self.inner.flush.notify_one();
    }

    /// These executions are finished.
    pub(crate) fn finished(&self, ids: impl IntoIterator<Item = ExecutionId>) {
        let waiters = self.waiters();
        if waiters.is_empty() {
            return;
        }
        for id in ids {
            if let Some(waiter) = waiters.get(&id) {
                waiter.notify_waiters();
            }
        }
    }

    pub(crate) fn ready_signal(&self) -> watch::Receiver<u64> {
        self.inner.ready.subscribe()
    }

    pub(crate) fn lost_leases(&self) -> broadcast::Receiver<ExecutionId> {
        self.inner.lost.subscribe()
    }

    /// Registers interest in the end of an execution.
    pub(crate) fn wait_for(&self, id: ExecutionId) -> Waiter {
        let notify = Arc::clone(self.waiters().entry(id).or_default());
        Waiter {
            wake: self.clone(),
            id,
            notify,
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.inner
            .outbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn waiters(&self) -> MutexGuard<'_, HashMap<ExecutionId, Arc<Notify>>> {
        self.inner
            .waiters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn send_notifications(self, pool: sqlx::PgPool) {
        let mut stop = self.inner.stop.subscribe();
        loop {
            tokio::select! {
                () = self.inner.flush.notified() => {}
                () = stopped(&mut stop) => return,
            }
            let Outbox { ready, lost } = std::mem::take(&mut *self.outbox());
            let mut payloads: Vec<String> = lost
                .chunks(IDS_MAX)
                .map(|ids| {
                    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
                    format!("lost {}", ids.join(" "))
                })
                .collect();
            if ready {
                payloads.push("ready".to_owned());
            }
            for payload in payloads {
                let sent = sqlx::query!("SELECT pg_notify($1, $2) AS sent", CHANNEL, payload)
                    .fetch_one(&pool)
                    .await;
                if let Err(error) = sent {
                    debug!(%error, "notification not sent; other hosts poll");
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn receive_notifications(self, pool: sqlx::PgPool) {
        let mut stop = self.inner.stop.subscribe();
        loop {
            tokio::select! {
                result = self.listen(&pool) => {
                    if let Err(error) = result {
                        warn!(%error, "not listening for other hosts; polling meanwhile");
                    }
                }
                () = stopped(&mut stop) => {
                    pool.close().await;
                    return;
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn listen(&self, pool: &sqlx::PgPool) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            let notification = listener.recv().await?;
            let payload = notification.payload();
            if payload == "ready" {
                self.inner.ready.send_modify(|n| *n = n.wrapping_add(1));
            } else if let Some(ids) = payload.strip_prefix("lost ") {
                for id in ids.split(' ').filter_map(|id| id.parse().ok()) {
                    let _ = self.inner.lost.send(id);
                }
            }
        }
    }
}

/// Waits until the engine is closed.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Interest in the end of one execution; withdrawn when dropped.
pub(crate) struct Waiter {
    wake: Wake,
    id: ExecutionId,
    notify: Arc<Notify>,
}

impl Waiter {
    /// Returns a future that completes at the next end reported after the call.
    pub(crate) fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiters = self.wake.waiters();
        // The map and this waiter hold one reference each.
        if Arc::strong_count(&self.notify) <= 2 {
            waiters.remove(&self.id);
        }
    }
}
