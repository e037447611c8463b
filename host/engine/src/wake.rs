//! Waking whoever waits: within this host at once, on other hosts by a
//! notification.
//!
//! A wake-up is a hint; everybody who waits also polls. A notification inside a
//! writing transaction takes a lock that every commit of the server queues for
//! (measured: 4 to 30 times fewer commits), so notifications are sent by one
//! connection outside any write, at most one per [`PAUSE`].
//!
//! A connection that listens says nothing when it hears nothing any more: a firewall
//! may have forgotten it, a pooler may have given its session to others. So each host
//! also notifies itself now and then ([`ECHO_EVERY`]). One that does not hear itself
//! is *deaf*: it listens again on another connection, and says so in its metrics.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::ExecutionId;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::Error;
use crate::pool::{Pool, Trust};
use crate::session::Session;
use crate::tasks::Tasks;

/// Least time between two notifications.
const PAUSE: Duration = Duration::from_millis(10);
/// Channel on which hosts tell each other.
const CHANNEL: &str = "flowhost";
/// How often a host notifies itself.
const ECHO_EVERY: Duration = Duration::from_secs(15);
/// Longest its own notification may be on its way.
const ECHO_WITHIN: Duration = Duration::from_secs(5);
/// Longest a notification may take to be sent.
const SEND_BOUND: Duration = Duration::from_secs(5);
/// Pauses between tries to listen: the first, and the longest.
const RELISTEN: Duration = Duration::from_secs(1);
const RELISTEN_MAX: Duration = Duration::from_secs(60);
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
    state: AtomicU8,
}

/// Whether wake-ups of other hosts arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum WakeUps {
    /// They are switched off: this host polls.
    Off,
    /// This host listens and hears itself.
    Heard,
    /// This host has no connection to listen on.
    Unconnected,
    /// This host listens and does not hear itself.
    Deaf,
}

impl WakeUps {
    /// Returns the state as a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Heard => "heard",
            Self::Unconnected => "unconnected",
            Self::Deaf => "deaf",
        }
    }
}

#[derive(Default)]
struct Outbox {
    ready: bool,
    lost: Vec<ExecutionId>,
}

impl Wake {
    /// Starts the tasks that send and receive notifications on such connections;
    /// without, nothing leaves this host.
    pub(crate) fn start(
        options: Option<PgConnectOptions>,
        tasks: &Tasks,
        trust: &Arc<Trust>,
    ) -> Self {
        let wake = Self {
            inner: Arc::new(WakeInner {
                ready: watch::Sender::new(0),
                lost: broadcast::Sender::new(4096),
                waiters: Mutex::default(),
                outbox: Mutex::default(),
                flush: Notify::new(),
                stop: watch::Sender::new(false),
                state: AtomicU8::new(WakeUps::Off as u8),
            }),
        };
        let Some(options) = options else {
            return wake;
        };
        wake.set(WakeUps::Unconnected);
        let session = Session::with(&[]);
        let pool = Pool::new(1, SEND_BOUND, options.clone(), session.clone(), trust);
        let (sender, receiver) = (wake.clone(), wake.clone());
        let sending = pool.clone();
        tasks.spawn("notifier", move || {
            sender.clone().send_notifications(sending.clone())
        });
        tasks.spawn("listener", move || {
            let ear = Ear {
                options: options.clone(),
                session: session.clone(),
                pool: pool.clone(),
            };
            receiver.clone().receive_notifications(ear)
        });
        wake
    }

    fn set(&self, state: WakeUps) {
        self.inner.state.store(state as u8, Ordering::Relaxed);
    }

    /// Returns whether wake-ups arrive.
    pub(crate) fn state(&self) -> WakeUps {
        let state = self.inner.state.load(Ordering::Relaxed);
        [WakeUps::Heard, WakeUps::Unconnected, WakeUps::Deaf]
            .into_iter()
            .find(|it| *it as u8 == state)
            .unwrap_or(WakeUps::Off)
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

    async fn send_notifications(self, pool: Pool) {
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
                let sent = tokio::select! {
                    sent = notify(&pool, payload) => sent,
                    () = stopped(&mut stop) => return,
                };
                if let Err(error) = sent {
                    debug!(%error, "notification not sent; other hosts poll");
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn receive_notifications(self, ear: Ear) {
        let mut stop = self.inner.stop.subscribe();
        let mut pause = RELISTEN;
        loop {
            let began = Instant::now();
            let ended = tokio::select! {
                ended = self.listen(&ear) => ended,
                () = stopped(&mut stop) => {
                    ear.pool.close().await;
                    return;
                }
            };
            if began.elapsed() > ECHO_EVERY * 2 {
                pause = RELISTEN;
            }
            match ended {
                Ok(()) => {
                    self.set(WakeUps::Deaf);
                    warn!(
                        "this host listens for others and does not hear itself: a pooler that keeps no session needs database.listen_url; polling meanwhile"
                    );
                }
                Err(error) => {
                    self.set(WakeUps::Unconnected);
                    warn!(%error, "not listening for other hosts; polling meanwhile");
                }
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(&mut stop) => {}
            }
            pause = (pause * 2).min(RELISTEN_MAX);
        }
    }

    /// Listens until this host does not hear itself.
    async fn listen(&self, ear: &Ear) -> Result<(), Error> {
        let mut listener = ear.open().await?;
        let id = Uuid::new_v4();
        let mut next_echo = Instant::now();
        // What is on its way, and since when.
        let mut echo: Option<(String, Instant)> = None;
        let mut number = 0_u64;
        loop {
            let until = match &echo {
                Some((_, sent)) => *sent + ECHO_WITHIN,
                None => next_echo,
            };
            let notification = tokio::select! {
                notification = listener.recv() => notification?,
                () = tokio::time::sleep_until(until) => {
                    if echo.is_some() {
                        return Ok(());
                    }
                    number += 1;
                    let payload = format!("echo {id} {number}");
                    // A pooler may deliver it to the connection that sends it, which fails.
                    if let Err(error) = notify(&ear.pool, payload.clone()).await {
                        debug!(%error, "this host could not notify itself");
                    }
                    echo = Some((payload, Instant::now()));
                    continue;
                }
            };
            let payload = notification.payload();
            if payload == "ready" {
                self.inner.ready.send_modify(|n| *n = n.wrapping_add(1));
            } else if let Some(ids) = payload.strip_prefix("lost ") {
                for id in ids.split(' ').filter_map(|id| id.parse().ok()) {
                    let _ = self.inner.lost.send(id);
                }
            } else if echo.as_ref().is_some_and(|(sent, _)| sent == payload) {
                echo = None;
                next_echo = Instant::now() + ECHO_EVERY;
                if self.state() != WakeUps::Heard {
                    info!("listening for other hosts");
                    self.set(WakeUps::Heard);
                }
            }
        }
    }
}

/// What listens.
struct Ear {
    options: PgConnectOptions,
    session: Session,
    /// What this host notifies itself on.
    pool: Pool,
}

impl Ear {
    /// Opens a connection that listens, in a pool of its own: the client library
    /// gives the connection of a listener back to its pool in a task that waits for
    /// an answer, which a connection that fell silent never gives.
    async fn open(&self) -> Result<PgListener, Error> {
        let session = self.session.clone();
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(SEND_BOUND)
            .max_lifetime(None)
            .idle_timeout(None)
            .after_connect(move |connection, _| {
                let session = session.clone();
                Box::pin(async move {
                    let opened = session.open(connection).await;
                    opened.map_err(|error| sqlx::Error::Configuration(Box::new(error)))
                })
            })
            .connect_lazy_with(self.options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        match timeout(SEND_BOUND, listener.listen(CHANNEL)).await {
            Ok(listening) => listening?,
            Err(_) => return Err(Error::Unavailable("LISTEN got no answer".to_owned())),
        }
        Ok(listener)
    }
}

/// Tells every host that listens.
async fn notify(pool: &Pool, payload: String) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_notify($1, $2) AS sent", CHANNEL, payload)
        .fetch_one(pool)
        .await
        .map(drop)
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
