//! Waiting for the end of an execution.
//!
//! A waiter holds only a place in a map: an end on this host wakes it, and a probe at
//! growing intervals finds an end on another host. Probes of many waiters are batched.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use model::{CreateRefusal, ExecutionId, Outcome, Partition};
use tokio::time::Instant;
use uuid::Uuid;

use super::create::{Create, Created, Prepared};
use super::info::ExecutionInfo;
use crate::batch::{BatchItem, Flush};
use crate::row::label;
use crate::statements::Statements;
use crate::{Declined, Engine, Error};

/// First pause between two probes; it doubles up to [`POLL_MAX`].
const POLL_MIN: Duration = Duration::from_millis(250);
const POLL_MAX: Duration = Duration::from_secs(2);

impl Engine {
    /// Waits until an execution is finished or `timeout` has passed and returns
    /// it as it then is; `None` if the namespace has no such execution.
    pub async fn wait(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        timeout: Duration,
    ) -> Result<Option<ExecutionInfo>, Error> {
        if !self.exists(id, namespace).await? {
            return Ok(None);
        }
        self.wait_finished(id, timeout).await?;
        self.get(id, namespace).await
    }

    /// Waits until an execution is finished or `timeout` has passed; returns
    /// whether it is finished. An execution that does not exist never is.
    pub async fn wait_finished(&self, id: ExecutionId, timeout: Duration) -> Result<bool, Error> {
        let deadline = Instant::now() + timeout;
        let waiter = self.inner.wake.wait_for(id);
        let mut pause = POLL_MIN;
        loop {
            // Registered before the probe, so that an end in between wakes.
            let mut notified = pin!(waiter.notified());
            notified.as_mut().enable();
            if self
                .inner
                .batchers
                .outcome
                .call(OutcomeCall(id))
                .await?
                .is_some()
            {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            let probe_at = deadline.min(now + pause);
            if tokio::time::timeout_at(probe_at, notified).await.is_ok() {
                return Ok(true);
            }
            pause = (pause * 2).min(POLL_MAX);
        }
    }
}

impl Engine {
    /// Creates an execution and waits until it is finished, `timeout` has passed or
    /// `enough` returns; returns whether it is finished.
    ///
    /// Less work than one after the other: the end of an execution that was
    /// waited for before it existed cannot have been missed.
    ///
    /// # Refusals
    /// As of [`Engine::create`].
    pub async fn create_and_wait(
        &self,
        create: Create,
        timeout: Duration,
        enough: impl Future<Output = ()>,
    ) -> Result<(Created, bool), Declined<CreateRefusal>> {
        let mut enough = pin!(enough);
        let deadline = Instant::now() + timeout;
        let created = match self.prepare(create).await? {
            Prepared::Made(created) => created,
            Prepared::Call(call) => {
                let waiter = self.inner.wake.wait_for(call.id);
                let mut notified = pin!(waiter.notified());
                notified.as_mut().enable();
                let created = self.inner.batchers.create.call(*call).await??;
                if let Created::Created { .. } = created {
                    let probe_at = deadline.min(Instant::now() + POLL_MIN);
                    tokio::select! {
                        woken = tokio::time::timeout_at(probe_at, notified) => if woken.is_ok() {
                            return Ok((created, true));
                        },
                        () = &mut enough => return Ok((created, false)),
                    }
                }
                created
            }
        };
        let left = deadline.saturating_duration_since(Instant::now());
        tokio::select! {
            finished = self.wait_finished(created.id(), left) => Ok((created, finished?)),
            () = enough => Ok((created, false)),
        }
    }
}

/// One probe for the outcome of an execution.
pub(crate) struct OutcomeCall(ExecutionId);

impl BatchItem for OutcomeCall {
    /// Probes of two waiters for one execution get two answers.
    type Key = ExecutionId;

    fn partition(&self) -> Partition {
        self.0.partition()
    }

    fn key(&self) -> ExecutionId {
        self.0
    }
}

impl Flush<OutcomeCall> for Statements {
    type Verdict = Option<Outcome>;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<OutcomeCall>],
        _retried: bool,
    ) -> Result<Vec<Option<Outcome>>, Error> {
        let ids: Vec<Uuid> = batch.iter().map(|call| call.0.uuid()).collect();
        let rows = sqlx::query!(
            r#"SELECT f.execution_id, f.outcome::text AS "outcome!"
               FROM unnest($2::uuid[]) AS w(id)
               CROSS JOIN LATERAL (
                   SELECT f.execution_id, f.outcome FROM finished f
                   WHERE f.partition = $1 AND f.execution_id = w.id OFFSET 0
               ) AS f"#,
            partition.column(),
            &ids
        )
        .fetch_all(&self.verbs)
        .await?;
        let ended = rows
            .into_iter()
            .map(|row| {
                let outcome = label("finished", "outcome", row.execution_id, &row.outcome)?;
                Ok((row.execution_id, outcome))
            })
            .collect::<Result<HashMap<Uuid, Outcome>, Error>>()?;
        Ok(ids.iter().map(|id| ended.get(id).copied()).collect())
    }
}
