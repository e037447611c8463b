//! Waking within this host, and collecting what other hosts are told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{ExecutionId, Outcome};
use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Notify, broadcast, watch};
use uuid::Uuid;

use super::elsewhere::Elsewhere;
use super::flows::Flows;
use super::listener::Listener;
use super::streams::Streams;
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
    /// Counts writes to the event log.
    pub(super) logged: watch::Sender<u64>,
    /// Until when other hosts are told of them: one of them follows the log.
    pub(super) log_followed_until: Mutex<Option<Instant>>,
    /// When other hosts were last asked to tell of theirs.
    asked_for_writes: Mutex<Option<Instant>>,
    /// What this host is called among hosts that follow the log.
    pub(super) follower: Uuid,
    /// Executions whose lease was taken from its holder.
    pub(super) lost: broadcast::Sender<ExecutionId>,
    /// Where tasks of this host that wait for the end of an execution learn its outcome.
    waiters: Mutex<HashMap<ExecutionId, watch::Sender<Option<Outcome>>>>,
    /// Executions that tasks of other hosts wait for.
    pub(super) elsewhere: Elsewhere,
    /// Executions whose streams are followed.
    pub(super) streams: Streams,
    /// Flows that have to take note of members that ended here.
    pub(super) flows: Flows,
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
    /// Whether the event log was written to.
    pub(super) logged: bool,
    /// Whether this host follows the event log.
    pub(super) follows_log: bool,
    /// Executions whose lease was taken from its holder.
    pub(super) lost: Vec<ExecutionId>,
    /// Executions whose end tasks of this host wait for.
    pub(super) awaited: Vec<ExecutionId>,
    /// Executions that ended here while tasks of other hosts waited for them.
    pub(super) ended: Vec<ExecutionId>,
    /// Executions whose streams this host follows.
    pub(super) tailed: Vec<ExecutionId>,
    /// Executions whose streams changed here while other hosts follow them.
    pub(super) streamed: Vec<ExecutionId>,
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
                logged: watch::Sender::new(0),
                log_followed_until: Mutex::default(),
                asked_for_writes: Mutex::default(),
                follower: Uuid::new_v4(),
                lost: broadcast::Sender::new(4096),
                waiters: Mutex::default(),
                elsewhere: Elsewhere::default(),
                streams: Streams::default(),
                flows: Flows::default(),
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
        self.send(|outbox| outbox.ready = true);
    }

    /// The event log was written to.
    pub(crate) fn logged(&self) {
        self.inner.logged.send_modify(|n| *n = n.wrapping_add(1));
        let until = *self.inner.log_followed_until.lock();
        if until.is_some_and(|until| Instant::now() < until) {
            self.send(|outbox| outbox.logged = true);
        }
    }

    pub(crate) fn logged_signal(&self) -> watch::Receiver<u64> {
        self.inner.logged.subscribe()
    }

    /// Asks other hosts, at most so often, to tell this one when they write to the log.
    pub(crate) fn ask_for_writes(&self, every: Duration) {
        let mut asked = self.inner.asked_for_writes.lock();
        if asked.is_none_or(|asked| asked.elapsed() >= every) {
            *asked = Some(Instant::now());
            self.send(|outbox| outbox.follows_log = true);
        }
    }

    /// The lease of this execution was taken from its holder.
    pub(crate) fn lost(&self, id: ExecutionId) {
        let _ = self.inner.lost.send(id);
        self.send(|outbox| outbox.lost.push(id));
    }

    /// Changes what other hosts are told next, if this host tells them anything.
    pub(super) fn send(&self, add: impl FnOnce(&mut Outbox)) {
        if self.state() != WakeUps::Off {
            add(&mut self.inner.outbox.lock());
            self.inner.flush.notify_one();
        }
    }

    /// These executions ended on this host, in this way.
    pub(crate) fn finished(&self, ends: &[(ExecutionId, Outcome)]) {
        self.tell(ends.iter().map(|(id, outcome)| (*id, Some(*outcome))));
        self.streamed(ends.iter().map(|(id, _)| *id));
        let awaited = self.inner.elsewhere.take(ends.iter().map(|(id, _)| *id));
        if !awaited.is_empty() {
            self.send(|outbox| outbox.ended.extend(awaited));
        }
    }

    /// Tells those who wait how executions ended; absent if another host knows.
    pub(super) fn tell(&self, ends: impl IntoIterator<Item = (ExecutionId, Option<Outcome>)>) {
        let waiters = self.inner.waiters.lock();
        if waiters.is_empty() {
            return;
        }
        for (id, outcome) in ends {
            if let Some(waiter) = waiters.get(&id) {
                waiter.send_replace(outcome);
            }
        }
    }

    pub(crate) fn ready_signal(&self) -> watch::Receiver<u64> {
        self.inner.ready.subscribe()
    }

    pub(crate) fn lost_leases(&self) -> broadcast::Receiver<ExecutionId> {
        self.inner.lost.subscribe()
    }

    /// Returns how many executions tasks of this host wait for.
    #[cfg(test)]
    pub(super) fn waited_for(&self) -> usize {
        self.inner.waiters.lock().len()
    }

    /// Registers interest in the end of an execution.
    pub(crate) fn wait_for(&self, id: ExecutionId) -> Waiter {
        let mut waiters = self.inner.waiters.lock();
        let ends = waiters.entry(id).or_default().subscribe();
        Waiter {
            wake: self.clone(),
            id,
            ends,
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
    ends: watch::Receiver<Option<Outcome>>,
}

impl Waiter {
    /// Returns the execution whose end is waited for.
    pub(crate) fn id(&self) -> ExecutionId {
        self.id
    }

    /// Waits for an end that was not waited for yet, also one from before the call, and
    /// returns the outcome; absent if another host knows it.
    pub(crate) async fn ended(&mut self) -> Option<Outcome> {
        let told = self.ends.changed().await;
        told.expect("invariant: the sender is kept while a waiter listens");
        *self.ends.borrow()
    }

    /// Asks other hosts to tell this one when the execution ends there.
    pub(crate) fn ask_others(&self) {
        self.wake.send(|outbox| outbox.awaited.push(self.id));
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiters = self.wake.inner.waiters.lock();
        let listening = waiters
            .get(&self.id)
            .map_or(0, watch::Sender::receiver_count);
        // This waiter is one of them.
        if listening <= 1 {
            waiters.remove(&self.id);
        }
    }
}
