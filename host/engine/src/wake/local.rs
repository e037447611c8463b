//! Waking within this host, and collecting what other hosts are told.

use std::collections::HashMap;
use std::sync::Arc;

use model::ExecutionId;
use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Notify, broadcast, watch};

use super::listener::Listener;
use super::{WakeUps, notifier};
use crate::database::{Liveness, Session};
use crate::tasks::Tasks;

/// Wakes tasks of this host and, through its tasks, of others; cheap to clone.
#[derive(Clone)]
pub(crate) struct Wake {
    pub(super) inner: Arc<WakeInner>,
}

pub(super) struct WakeInner {
    /// Counts wake-ups of claimers.
    pub(super) ready: watch::Sender<u64>,
    /// Executions whose lease was taken from its holder.
    pub(super) lost: broadcast::Sender<ExecutionId>,
    /// Tasks of this host that wait for the end of an execution.
    waiters: Mutex<HashMap<ExecutionId, Arc<Notify>>>,
    pub(super) outbox: Mutex<Outbox>,
    /// Wakes the task that empties the outbox.
    pub(super) flush: Notify,
    pub(super) stop: watch::Sender<bool>,
    pub(super) state: Mutex<WakeUps>,
}

/// What other hosts are told next.
#[derive(Default)]
pub(super) struct Outbox {
    /// Whether work may be ready.
    pub(super) ready: bool,
    /// Executions whose lease was taken from its holder.
    pub(super) lost: Vec<ExecutionId>,
}

impl Wake {
    /// Starts the tasks that send and receive notifications over such connections;
    /// without options, nothing leaves this host.
    pub(crate) fn start(
        options: Option<PgConnectOptions>,
        tasks: &Tasks,
        liveness: &Arc<Liveness>,
    ) -> Self {
        let wake = Self {
            inner: Arc::new(WakeInner {
                ready: watch::Sender::new(0),
                lost: broadcast::Sender::new(4096),
                waiters: Mutex::default(),
                outbox: Mutex::default(),
                flush: Notify::new(),
                stop: watch::Sender::new(false),
                state: Mutex::new(WakeUps::Off),
            }),
        };
        let Some(options) = options else {
            return wake;
        };
        *wake.inner.state.lock() = WakeUps::Unconnected;
        let session = Session::with(&[]);
        let pool = notifier::pool(options.clone(), session.clone(), liveness);
        let (notified, sending) = (wake.clone(), pool.clone());
        tasks.spawn("notifier", move || {
            notifier::run(notified.clone(), sending.clone())
        });
        let listener = Listener {
            wake: wake.clone(),
            options,
            session,
            pool,
        };
        tasks.spawn("listener", move || listener.clone().run());
        wake
    }

    /// Returns whether wake-ups of other hosts arrive.
    pub(crate) fn state(&self) -> WakeUps {
        *self.inner.state.lock()
    }

    /// Ends the tasks that send and receive notifications.
    pub(crate) fn stop(&self) {
        self.inner.stop.send_replace(true);
    }

    /// Work may be ready.
    pub(crate) fn ready(&self) {
        self.inner.ready.send_modify(|n| *n = n.wrapping_add(1));
        self.inner.outbox.lock().ready = true;
        self.inner.flush.notify_one();
    }

    /// The lease of this execution was taken from its holder.
    pub(crate) fn lost(&self, id: ExecutionId) {
        let _ = self.inner.lost.send(id);
        self.inner.outbox.lock().lost.push(id);
        self.inner.flush.notify_one();
    }

    /// These executions are finished.
    pub(crate) fn finished(&self, ids: impl IntoIterator<Item = ExecutionId>) {
        let waiters = self.inner.waiters.lock();
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
        let notify = self.inner.waiters.lock().entry(id).or_default().clone();
        Waiter {
            wake: self.clone(),
            id,
            notify,
        }
    }
}

/// Waits until the engine is closed.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
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
        let mut waiters = self.wake.inner.waiters.lock();
        // The map and this waiter hold one reference each.
        if Arc::strong_count(&self.notify) <= 2 {
            waiters.remove(&self.id);
        }
    }
}
