//! Connections to the database that cannot hold a caller up: every statement is
//! bounded on this side too, and a connection that fell silent is closed.
//!
//! The server bounds what it runs (`statement_timeout`), which does not help
//! when the server is stopped, or a firewall or a proxy forgot the connection: nothing ever
//! arrives on it, and nothing says so. So a statement that got no answer in its time
//! is given up, and its connection closed rather than returned.
//!
//! ```text
//! idle ──▶ leased ──▶ answered ─────────────▶ idle
//!             │  └──▶ broken, or given up ──▶ closed; the others are doubted
//!             └─────▶ caller went away ─────▶ drained for a moment, then closed
//! ```
//!
//! Where one connection fell silent its neighbors likely did: those that were idle
//! meanwhile are *doubted*, which costs each a round trip before it is used next, and
//! statements that have been waiting just as long are given up with it. A connection
//! that is not doubted is used without looking, since most statements are short.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{
    PgConnectOptions, PgPool, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo,
};
use sqlx::{Connection as _, Either, Execute, Executor, PgConnection, Postgres, SqlStr};

use crate::health::Health;
use crate::session::Session;
use crate::sqlstate::{self, Meaning};

/// Longest to wait for a connection, be it a free one or a new one.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement may wait once another one got no answer.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// How often a statement that waits looks whether others wait in vain.
const LOOK: Duration = Duration::from_secs(1);
/// How long a connection may be idle before it is looked at.
const IDLE_TRUSTED: Duration = Duration::from_secs(30);
/// Longest an idle connection may take to answer that it is there.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest a connection may take to come to an end of what it was asked.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// A statement abandoned after so long is not drained: its connection is closed.
const ABANDONED: Duration = Duration::from_secs(1);
/// Longest the end of a pool may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections of one kind; cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool {
    connections: PgPool,
    session: Session,
    bound: Duration,
    trust: Arc<Trust>,
}

/// Since when connections are doubted; shared by the pools of an engine, which lead
/// to the same server.
pub(crate) struct Trust {
    began: Instant,
    /// Milliseconds after `began`; 0 is never.
    doubted: AtomicU64,
    silent: AtomicU64,
    /// Why the last new connection could not be used.
    refused: Mutex<Option<crate::Error>>,
    pub(crate) health: Arc<Health>,
}

impl Trust {
    pub(crate) fn new(health: Arc<Health>) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            doubted: AtomicU64::new(0),
            silent: AtomicU64::new(0),
            refused: Mutex::default(),
            health,
        })
    }

    fn ms(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.began);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Whether a connection must show that it is there before it is used.
    fn is_doubted(&self, idle_for: Duration) -> bool {
        let idle_since = Instant::now().checked_sub(idle_for);
        idle_for >= IDLE_TRUSTED
            || idle_since.is_none_or(|at| self.ms(at) <= self.doubted.load(Ordering::Relaxed))
    }

    /// Doubts every connection that is idle now.
    fn doubt(&self) {
        self.doubted
            .store(self.ms(Instant::now()), Ordering::Relaxed);
    }

    /// Says that a statement got no answer.
    pub(crate) fn fell_silent(&self) {
        self.doubt();
        self.silent
            .store(self.ms(Instant::now()), Ordering::Relaxed);
    }

    /// Whether some statement got no answer since then.
    fn is_silent_since(&self, at: Instant) -> bool {
        self.silent.load(Ordering::Relaxed) >= self.ms(at)
    }

    fn refuse(&self, why: Option<crate::Error>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}

impl Pool {
    /// Makes a pool that opens no connection yet. `bound` is the longest a statement
    /// may take.
    pub(crate) fn new(
        connections: u32,
        bound: Duration,
        options: PgConnectOptions,
        session: Session,
        trust: &Arc<Trust>,
    ) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // Looked at below, where it is doubted.
            .test_before_acquire(false)
            .before_acquire({
                let trust = trust.clone();
                move |connection, meta| {
                    if !trust.is_doubted(meta.idle_for) {
                        return Box::pin(std::future::ready(Ok(true)));
                    }
                    let trust = trust.clone();
                    Box::pin(async move { ping(connection, &trust).await.map(|()| true) })
                }
            })
            .after_connect({
                let (session, trust) = (session.clone(), trust.clone());
                move |connection, _| {
                    let (session, trust) = (session.clone(), trust.clone());
                    Box::pin(async move {
                        match session.open(connection).await {
                            Ok(()) => {
                                trust.refuse(None);
                                Ok(())
                            }
                            Err(error) => {
                                trust.refuse(Some(error.clone()));
                                Err(sqlx::Error::Configuration(Box::new(error)))
                            }
                        }
                    })
                }
            })
            .connect_lazy_with(options);
        Self {
            connections: pool,
            session,
            bound,
            trust: trust.clone(),
        }
    }

    /// Takes a connection, waiting for one if there is none.
    pub(crate) async fn acquire(&self) -> Result<Lease, sqlx::Error> {
        match self.connections.acquire().await {
            Ok(connection) => Ok(Lease {
                connection: Some(connection),
                trust: self.trust.clone(),
                asked: None,
            }),
            Err(error) => Err(self.unconnected(error)),
        }
    }

    /// Notes why there was no connection; returns what says most about it.
    fn unconnected(&self, error: sqlx::Error) -> sqlx::Error {
        let health = &self.trust.health;
        if !matches!(error, sqlx::Error::PoolTimedOut) {
            health.failed(&error);
            return error;
        }
        let refused = self.trust.refused.lock();
        if let Some(why) = &*refused.unwrap_or_else(PoisonError::into_inner) {
            health.refused(why);
            return sqlx::Error::Configuration(Box::new(why.clone()));
        }
        let busy = self.connections.size() as usize - self.connections.num_idle();
        if busy >= self.connections.options().get_max_connections() as usize {
            health.exhausted();
        } else {
            health.failed(&error);
        }
        error
    }

    /// Returns how many connections there are, and how many of them are idle.
    pub(crate) fn sizes(&self) -> (u32, usize) {
        (self.connections.size(), self.connections.num_idle())
    }

    /// Returns options for connections like these.
    pub(crate) fn connect_options(&self) -> PgConnectOptions {
        (*self.connections.connect_options()).clone()
    }

    /// Returns what sessions of this pool are.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Closes every connection; those that do not come back in time are left to
    /// the end of the process.
    pub(crate) async fn close(&self) {
        if tokio::time::timeout(CLOSE_TIMEOUT, self.connections.close())
            .await
            .is_err()
        {
            tracing::debug!("connections to the database were left open");
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// Asks an idle connection whether it is there.
async fn ping(connection: &mut PgConnection, trust: &Trust) -> Result<(), sqlx::Error> {
    match tokio::time::timeout(PING_TIMEOUT, connection.ping()).await {
        Ok(answered) => answered,
        Err(_) => {
            trust.fell_silent();
            Err(silent(PING_TIMEOUT))
        }
    }
}

fn silent(waited: Duration) -> sqlx::Error {
    let text = format!("no answer within {} ms", waited.as_millis());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text))
}

/// A connection in use. Dropped while it waits for an answer, it is drained, or
/// closed.
pub(crate) struct Lease {
    connection: Option<PoolConnection<Postgres>>,
    trust: Arc<Trust>,
    /// Since when it waits for the answer to a statement.
    asked: Option<Instant>,
}

const TAKEN: &str = "invariant: a lease has its connection until it ends";

impl Deref for Lease {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect(TAKEN)
    }
}

impl DerefMut for Lease {
    /// Lends the connection to a statement.
    fn deref_mut(&mut self) -> &mut PgConnection {
        if self.asked.is_none() {
            self.asked = Some(Instant::now());
        }
        self.connection.as_mut().expect(TAKEN)
    }
}

impl Lease {
    /// Ends the use of the connection as this answer says: it comes back, or it is
    /// broken and closed.
    fn end<T>(mut self, answer: Result<Result<T, sqlx::Error>, Silence>) -> Result<T, sqlx::Error> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(Silence(waited)) => {
                self.trust.fell_silent();
                self.close();
                let error = silent(waited);
                self.trust.health.failed(&error);
                return Err(error);
            }
        };
        match &answer {
            Ok(_) => {
                self.asked = None;
                self.trust.health.answered();
            }
            Err(error) => match sqlstate::of_error(error) {
                Meaning::SessionLost => {
                    self.trust.doubt();
                    self.close();
                    self.trust.health.failed(error);
                }
                Meaning::Unavailable => {
                    self.asked = None;
                    self.trust.health.failed(error);
                }
                Meaning::Fault => self.asked = None,
            },
        }
        answer
    }

    /// Gives the connection back after statements that were answered.
    pub(crate) fn done(mut self) {
        self.asked = None;
    }

    /// Closes the connection without a word.
    fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.asked.is_some_and(|asked| asked.elapsed() >= ABANDONED) {
            self.trust.doubt();
            self.close();
        }
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        // As the pool would do it, which then waits for ever for a connection on
        // which nothing arrives, and keeps its place.
        let returning = tokio::time::timeout(DRAIN_TIMEOUT, connection.return_to_pool());
        let trust = self.trust.clone();
        tokio::spawn(async move {
            if returning.await.is_err() {
                trust.fell_silent();
            }
        });
    }
}

/// A statement that got no answer for so long.
struct Silence(Duration);

/// Waits for a statement: for `bound`, or less once another statement got no answer.
async fn bounded<F: Future>(
    trust: &Trust,
    bound: Duration,
    statement: F,
) -> Result<F::Output, Silence> {
    let began = Instant::now();
    let mut statement = pin!(statement);
    loop {
        let left = bound.saturating_sub(began.elapsed());
        if let Ok(answer) = tokio::time::timeout(left.min(LOOK), statement.as_mut()).await {
            return Ok(answer);
        }
        let waited = began.elapsed();
        if waited >= bound || (waited >= SILENT_FOR && trust.is_silent_since(began)) {
            return Err(Silence(waited));
        }
    }
}

impl<'p> Executor<'p> for &'_ Pool {
    type Database = Postgres;

    /// Collects the answer before it gives anything out, so that what reads it takes
    /// no part in the time the statement has.
    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        let rows = async move {
            let mut lease = pool.acquire().await?;
            let statement = lease.fetch_many(query).try_collect::<Vec<_>>();
            let answer = bounded(&pool.trust, pool.bound, statement).await;
            lease.end(answer)
        };
        stream::once(rows)
            .map_ok(|rows| stream::iter(rows.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        async move {
            let mut lease = pool.acquire().await?;
            let statement = lease.fetch_optional(query);
            let answer = bounded(&pool.trust, pool.bound, statement).await;
            lease.end(answer)
        }
        .boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        async move {
            let mut lease = pool.acquire().await?;
            let statement = lease.prepare_with(sql, parameters);
            let answer = bounded(&pool.trust, pool.bound, statement).await;
            lease.end(answer)
        }
        .boxed()
    }

    fn describe<'e>(
        self,
        sql: SqlStr,
    ) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        async move {
            let mut lease = pool.acquire().await?;
            let statement = lease.describe(sql);
            let answer = bounded(&pool.trust, pool.bound, statement).await;
            lease.end(answer)
        }
        .boxed()
    }
}
