//! Statements on a pool, each bounded in time on this side too.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Execute, Executor, Postgres, SqlStr};
use tokio::time::timeout;

use super::Pool;
use super::connection::NoAnswer;
use super::pool::Shared;

/// How long a statement may wait once another one got no answer.
const NEIGHBOR_BOUND: Duration = Duration::from_secs(5);
/// How often a waiting statement checks whether another one got no answer.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Waits for a statement: for the pool's bound, or less once another statement got no
/// answer.
async fn bounded<F: Future>(pool: &Shared, statement: F) -> Result<F::Output, NoAnswer> {
    let began = Instant::now();
    let mut statement = pin!(statement);
    loop {
        let left = pool.bound.saturating_sub(began.elapsed());
        if let Ok(answer) = timeout(left.min(CHECK_EVERY), statement.as_mut()).await {
            return Ok(answer);
        }
        let waited = began.elapsed();
        let doubtful = waited >= NEIGHBOR_BOUND && pool.liveness.no_answer_since(began);
        if waited >= pool.bound || doubtful {
            return Err(NoAnswer(waited));
        }
    }
}

/// Takes a connection, runs a statement on it, and ends its use.
macro_rules! run {
    ($pool:ident, |$connection:ident| $statement:expr) => {
        async move {
            let mut $connection = $pool.acquire().await?;
            let statement = $statement;
            let answer = bounded(&$pool.0, statement).await;
            $connection.end(answer)
        }
    };
}

impl<'p> Executor<'p> for &'p Pool {
    type Database = Postgres;

    /// Collects the answer before it returns a row, so that the time in which the caller
    /// reads the rows is not charged to the statement.
    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let rows = run!(self, |connection| {
            connection.fetch_many(query).try_collect::<Vec<_>>()
        });
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
        run!(self, |connection| connection.fetch_optional(query)).boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'p: 'e,
    {
        run!(self, |connection| connection.prepare_with(sql, parameters)).boxed()
    }

    fn describe<'e>(
        self,
        sql: SqlStr,
    ) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'p: 'e,
    {
        run!(self, |connection| connection.describe(sql)).boxed()
    }
}
