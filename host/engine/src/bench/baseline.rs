//! The baseline: single-row inserts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::Partitions;
use sqlx::PgConnection;
use sqlx::postgres::PgPoolOptions;

use super::Rate;
use crate::{Engine, Error};

/// The baseline: single-row inserts, one durable commit each.
#[derive(Debug, Clone, Copy)]
pub struct Baseline;

impl Baseline {
    /// Makes the table of the baseline anew: a key of sixteen bytes and a payload
    /// of 130, as a benchmark of single-row inserts has.
    pub async fn prepare(engine: &Engine) -> Result<Self, Error> {
        sqlx::query!("DROP TABLE IF EXISTS bench_insert")
            .execute(&engine.inner.reads)
            .await?;
        sqlx::query!("CREATE TABLE bench_insert (id uuid PRIMARY KEY, payload bytea NOT NULL)")
            .execute(&engine.inner.reads)
            .await?;
        Ok(Self)
    }

    /// Inserts rows one by one over `connections` connections for a while.
    pub async fn single_row_inserts(
        &self,
        engine: &Engine,
        connections: u32,
        span: Duration,
    ) -> Result<Rate, Error> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .min_connections(connections)
            .test_before_acquire(false)
            .after_connect({
                let session = engine.inner.verbs.session().clone();
                move |connection, _| {
                    let session = session.clone();
                    Box::pin(async move {
                        let opened = session.open(connection).await;
                        opened.map_err(|error| sqlx::Error::Configuration(Box::new(error)))
                    })
                }
            })
            .connect_with(engine.inner.verbs.connect_options())
            .await?;
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicU64::new(0));
        let started = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let (pool, stop, done) = (pool.clone(), Arc::clone(&stop), Arc::clone(&done));
                let partitions = engine.instance().partitions;
                tokio::spawn(async move {
                    let mut connection = pool.acquire().await?;
                    while !stop.load(Ordering::Relaxed) {
                        insert_one(&mut connection, partitions).await?;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok::<_, Error>(())
                })
            })
            .collect();
        tokio::time::sleep(span).await;
        stop.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await
                .map_err(|error| Error::Unavailable(error.to_string()))??;
        }
        let rate = Rate::new(done.load(Ordering::Relaxed), started.elapsed());
        pool.close().await;
        Ok(rate)
    }

    /// Opens a connection for inserts one at a time.
    pub async fn single(&self, engine: &Engine) -> Result<SingleInserts, Error> {
        let verbs = &engine.inner.verbs;
        let connection = verbs.session().connect(&verbs.connect_options()).await?;
        Ok(SingleInserts {
            connection,
            partitions: engine.instance().partitions,
        })
    }
}

/// A connection of its own that inserts one row at a time.
#[derive(Debug)]
pub struct SingleInserts {
    connection: PgConnection,
    partitions: Partitions,
}

impl SingleInserts {
    /// Inserts a row and waits for its commit.
    pub async fn insert(&mut self) -> Result<(), Error> {
        insert_one(&mut self.connection, self.partitions).await
    }
}

async fn insert_one(connection: &mut PgConnection, partitions: Partitions) -> Result<(), Error> {
    let id = crate::mint::execution_id(partitions, "", None).uuid();
    // Not checked at compile time: the table is not part of the schema.
    sqlx::query("INSERT INTO bench_insert (id, payload) VALUES ($1, $2)")
        .bind(id)
        .bind([7_u8; 130].as_slice())
        .execute(connection)
        .await?;
    Ok(())
}
