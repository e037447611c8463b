//! Receives the notifications of other hosts, and checks that they still arrive.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::local::stopped;
use super::notifier::{self, CHANNEL, SEND_BOUND, notify};
use super::{Wake, WakeUps};
use crate::Error;
use crate::database::{Pool, Session};
use crate::tasks::pauses;

/// How often a host notifies itself.
const ECHO_EVERY: Duration = Duration::from_secs(15);
/// Longest its own notification may take to arrive.
const ECHO_WITHIN: Duration = Duration::from_secs(5);
/// How long a host is told of writes to the event log after it has asked.
const FOLLOWED_FOR: Duration = Duration::from_secs(6);
/// Pauses between tries to listen.
const PAUSES: ExponentialBuilder = pauses(Duration::from_secs(1), PAUSE_MAX);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Listens over connections of its own.
#[derive(Clone)]
pub(super) struct Listener {
    pub(super) wake: Wake,
    pub(super) options: PgConnectOptions,
    pub(super) session: Session,
    /// The connection over which this host notifies itself.
    pub(super) pool: Pool,
}

impl Listener {
    /// Listens until the engine is closed.
    pub(super) async fn run(self) {
        let mut stop = self.wake.inner.stop.subscribe();
        let mut pauses = PAUSES.build();
        loop {
            let began = Instant::now();
            let ended = tokio::select! {
                ended = self.listen() => ended,
                () = stopped(&mut stop) => {
                    self.pool.close().await;
                    return;
                }
            };
            if began.elapsed() > ECHO_EVERY * 2 {
                pauses = PAUSES.build();
            }
            match ended {
                Ok(()) => {
                    self.set(WakeUps::Deaf);
                    warn!(
                        "this host listens for others and does not receive its own notifications: a pooler that keeps no session needs database.listen_url; polling meanwhile"
                    );
                }
                Err(error) => {
                    self.set(WakeUps::Unconnected);
                    warn!(%error, "not listening for other hosts; polling meanwhile");
                }
            }
            tokio::select! {
                () = sleep(pauses.next().unwrap_or(PAUSE_MAX)) => {}
                () = stopped(&mut stop) => {}
            }
        }
    }

    fn set(&self, state: WakeUps) {
        *self.wake.inner.state.lock() = state;
    }

    /// Listens until this host does not receive its own notification.
    async fn listen(&self) -> Result<(), Error> {
        let mut listener = self.open().await?;
        let id = Uuid::new_v4();
        let mut next_echo = Instant::now();
        // The notification that is on its way, and when it was sent.
        let mut echo: Option<(String, Instant)> = None;
        let mut number = 0_u64;
        loop {
            let until = match &echo {
                Some((_, sent)) => *sent + ECHO_WITHIN,
                None => next_echo,
            };
            let notification = tokio::select! {
                notification = listener.recv() => notification?,
                () = sleep_until(until) => {
                    if echo.is_some() {
                        return Ok(());
                    }
                    number += 1;
                    let payload = format!("echo {id} {number}");
                    // A pooler may deliver it to the connection that sends it, which fails.
                    if let Err(error) = notify(&self.pool, payload.clone()).await {
                        debug!(%error, "this host could not notify itself");
                    }
                    echo = Some((payload, Instant::now()));
                    continue;
                }
            };
            let payload = notification.payload();
            let inner = &self.wake.inner;
            if payload == notifier::READY {
                inner.ready.send_modify(|n| *n = n.wrapping_add(1));
            } else if payload == notifier::LOGGED {
                inner.logged.send_modify(|n| *n = n.wrapping_add(1));
            } else if echo.as_ref().is_some_and(|(sent, _)| sent == payload) {
                echo = None;
                next_echo = Instant::now() + ECHO_EVERY;
                if self.wake.state() != WakeUps::Arriving {
                    info!("listening for other hosts");
                    self.set(WakeUps::Arriving);
                }
            } else {
                self.received(payload);
            }
        }
    }

    /// Acts on what a host says of executions; anything else is of a later version.
    fn received(&self, payload: &str) {
        let wake = &self.wake;
        if let Some((notifier::FOLLOWS, host)) = payload.split_once(' ') {
            if host != wake.inner.follower.to_string() {
                let until = std::time::Instant::now() + FOLLOWED_FOR;
                *wake.inner.log_followed_until.lock() = Some(until);
            }
            return;
        }
        if let Some((notifier::TAILED, rest)) = payload.split_once(' ') {
            let own = wake.inner.follower.to_string();
            match notifier::read(rest) {
                Some((host, ids)) if host != own => wake.inner.streams.elsewhere.add(ids),
                _ => {}
            }
            return;
        }
        match notifier::read(payload) {
            Some((notifier::LOST, ids)) => ids.for_each(|id| {
                let _ = wake.inner.lost.send(id);
            }),
            Some((notifier::AWAITED, ids)) => wake.inner.elsewhere.add(ids),
            Some((notifier::ENDED, ids)) => wake.tell(ids.map(|id| (id, None))),
            Some((notifier::STREAMED, ids)) => wake.inner.streams.tell(ids),
            _ => {}
        }
    }

    /// Opens a connection that listens, in a pool of its own: the client library returns
    /// the connection of a listener to its pool in a task that waits for an answer, which
    /// a connection that stopped answering never gives.
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
