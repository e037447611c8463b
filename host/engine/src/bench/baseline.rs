//! The baseline: single-row inserts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::Partitions;
use sqlx::PgConnection;

use crate::{Engine, Error};

/// The baseline: single-row inserts, one durable commit each.
#[derive(Debug, Clone, Copy)]
pub struct Baseline;

impl Baseline {
    /// Creates the table of the baseline again: a key of sixteen bytes and a payload of
    /// 130, as a benchmark of single-row inserts has.
    pub async fn prepare(engine: &Engine) -> Result<Self, Error> {
        sqlx::query!("DROP TABLE IF EXISTS bench_insert")
            .execute(&engine.inner.reads)
            .await?;
        sqlx::query!("CREATE TABLE bench_insert (id uuid PRIMARY KEY, payload bytea NOT NULL)")
            .execute(&engine.inner.reads)
            .await?;
        Ok(Self)
    }

    /// Inserts rows one by one over `connections` connections for a while; returns how
    /// many a second.
    pub async fn single_row_inserts(
        &self,
        engine: &Engine,
        connections: u32,
        span: Duration,
    ) -> Result<f64, Error> {
        let opening = (0..connections).map(|_| self.single(engine));
        let opened = futures::future::try_join_all(opening).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicU64::new(0));
        let started = Instant::now();
        let tasks: Vec<_> = opened
            .into_iter()
            .map(|mut inserts| {
                let (stop, done) = (stop.clone(), done.clone());
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        inserts.insert().await?;
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
        Ok(done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64())
    }

    /// Opens a connection for inserts one at a time.
    pub async fn single(&self, engine: &Engine) -> Result<SingleInserts, Error> {
        let verbs = &engine.inner.verbs;
        let connection = verbs.session().connect(verbs.connect_options()).await?;
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
        let id = crate::random::execution_id(self.partitions, "", None).uuid();
        // Not checked at compile time: the table is not part of the schema.
        sqlx::query("INSERT INTO bench_insert (id, payload) VALUES ($1, $2)")
            .bind(id)
            .bind([7_u8; 130].as_slice())
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}
