//! Connections of one kind, each used by one statement at a time.
//!
//! Where [`sqlx::PgPool`] asks a connection for an answer after each use, in a task of
//! its own, this pool has seen the answer to the statement and keeps the connection as it
//! is: a statement costs one round trip and no task.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures::future::join_all;
use parking_lot::Mutex;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::{Liveness, Session};
use crate::tasks::pauses;

/// Longest to wait for a connection, be it an idle one or a new one.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest an idle connection may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest the end of a pool may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that has been idle for so long is closed.
const IDLE_MAX: Duration = Duration::from_secs(10 * 60);
/// A connection that has been open for so long is closed after its next use.
const AGE_MAX: Duration = Duration::from_secs(30 * 60);
/// Pauses between tries to connect to a server that is starting or has no connection to
/// spare.
const PAUSES: ExponentialBuilder = pauses(Duration::from_millis(10), Duration::from_secs(1));

/// Connections of one kind; cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool(pub(super) Arc<Shared>);

/// What the clones of a pool share.
pub(super) struct Shared {
    options: PgConnectOptions,
    session: Session,
    /// Longest a statement may take.
    pub(super) bound: Duration,
    max: usize,
    /// One for each connection that may be used.
    slots: Semaphore,
    /// The connections not in use; the one used last is at the back.
    idle: Mutex<VecDeque<Idle>>,
    closed: AtomicBool,
    pub(super) liveness: Arc<Liveness>,
}

/// An open connection.
pub(super) struct Live {
    pub(super) connection: PgConnection,
    opened: Instant,
}

struct Idle {
    live: Live,
    since: Instant,
}

impl Pool {
    /// Makes a pool that opens no connection yet. `bound` is the longest a statement may
    /// take.
    pub(crate) fn new(
        connections: usize,
        bound: Duration,
        options: PgConnectOptions,
        session: Session,
        liveness: &Arc<Liveness>,
    ) -> Self {
        Self(Arc::new(Shared {
            options,
            session,
            bound,
            max: connections,
            slots: Semaphore::new(connections),
            idle: Mutex::default(),
            closed: AtomicBool::new(false),
            liveness: liveness.clone(),
        }))
    }

    /// Takes a connection, waiting for one if all are in use.
    pub(crate) async fn acquire(&self) -> Result<Connection, sqlx::Error> {
        let error = match timeout(ACQUIRE_TIMEOUT, self.take()).await {
            Ok(Ok(live)) => return Ok(Connection::new(live, self.0.clone())),
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::PoolTimedOut,
        };
        let liveness = &self.0.liveness;
        if !matches!(error, sqlx::Error::PoolTimedOut) {
            liveness.health.failed(&error);
        } else if let Some(why) = liveness.refused() {
            liveness.health.refused(&why);
            return Err(sqlx::Error::Configuration(Box::new(why)));
        } else if self.0.slots.available_permits() == 0 {
            liveness.health.exhausted();
        } else {
            liveness.health.failed(&error);
        }
        Err(error)
    }

    async fn take(&self) -> Result<Live, sqlx::Error> {
        let pool = &self.0;
        let closed = || pool.closed.load(Ordering::Acquire);
        if closed() {
            return Err(sqlx::Error::PoolClosed);
        }
        let slot = pool.slots.acquire().await;
        let slot = slot.map_err(|_| sqlx::Error::PoolClosed)?;
        if closed() {
            return Err(sqlx::Error::PoolClosed);
        }
        let live = match pool.reuse().await {
            Some(live) => live,
            None => pool.open().await?,
        };
        // `release` returns it.
        slot.forget();
        Ok(live)
    }

    /// Returns the number of open connections, and how many of them are idle.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let idle = self.0.idle.lock().len();
        let used = self.0.max - self.0.slots.available_permits().min(self.0.max);
        (used + idle, idle)
    }

    /// Returns options for connections like these.
    pub(crate) fn connect_options(&self) -> &PgConnectOptions {
        &self.0.options
    }

    /// Returns the settings of the sessions of this pool.
    pub(crate) fn session(&self) -> &Session {
        &self.0.session
    }

    /// Closes every connection, after the statement it is used for; those still in use
    /// when the time is up are closed by the end of the process.
    pub(crate) async fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        let closing = async {
            let max = u32::try_from(self.0.max).unwrap_or(u32::MAX);
            let _all = self.0.slots.acquire_many(max).await;
            let idle = std::mem::take(&mut *self.0.idle.lock());
            join_all(idle.into_iter().map(|it| it.live.connection.close())).await;
        };
        if timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::debug!("connections to the database were left open");
        }
    }
}

impl Shared {
    /// Returns the connection used last, unless it is suspect and does not answer.
    async fn reuse(&self) -> Option<Live> {
        let Idle { mut live, since } = self.idle.lock().pop_back()?;
        if !self.liveness.is_suspect(since) {
            return Some(live);
        }
        match timeout(PING_TIMEOUT, live.connection.ping()).await {
            Ok(Ok(())) => Some(live),
            Ok(Err(_)) => None,
            Err(_) => {
                self.liveness.no_answer();
                None
            }
        }
    }

    /// Opens a connection, trying again while the server may soon accept it.
    async fn open(&self) -> Result<Live, sqlx::Error> {
        for pause in PAUSES.build() {
            match self.options.connect().await {
                Ok(mut connection) => {
                    let opened = self.session.open(&mut connection).await;
                    self.liveness.opened(opened.as_ref().err().cloned());
                    if opened.is_ok() {
                        return Ok(Live {
                            connection,
                            opened: Instant::now(),
                        });
                    }
                }
                Err(error) if !may_pass(&error) => return Err(error),
                Err(_) => {}
            }
            sleep(pause).await;
        }
        Err(sqlx::Error::PoolTimedOut)
    }

    /// Ends the use of a connection: it is idle again; `None` if it was closed.
    pub(super) fn release(&self, live: Option<Live>) {
        if let Some(live) = live.filter(|live| live.opened.elapsed() < AGE_MAX) {
            let since = Instant::now();
            let mut idle = self.idle.lock();
            idle.push_back(Idle { live, since });
            if idle
                .front()
                .is_some_and(|it| it.since.elapsed() >= IDLE_MAX)
            {
                idle.pop_front();
            }
        }
        self.slots.add_permits(1);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// Whether a server that refuses a connection this way may soon accept one.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        sqlx::Error::Database(error) => {
            matches!(error.code().as_deref(), Some("53300" | "57P03"))
        }
        _ => false,
    }
}
