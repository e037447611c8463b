//! Waiting for the end of an execution.
//!
//! A waiter holds only a place in a map. An end on this host wakes it with the outcome,
//! which needs no read; an end on another host wakes it if notifications arrive, and
//! probes at growing intervals find it in any case. Probes and reads of many waiters are
//! batched.

use std::pin::pin;
use std::time::Duration;

use model::{CreateRefusal, ExecutionId, Outcome};
use tokio::time::{Instant, timeout_at};

use super::create::{Create, Created, Prepared};
use super::info::ExecutionInfo;
use super::read::ReadCall;
use crate::wake::Waiter;
use crate::{Declined, Engine, Error};

/// First pause between two probes; it doubles up to [`POLL_MAX`]. Other hosts are asked
/// after each.
const POLL_MIN: Duration = Duration::from_millis(50);
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
        let deadline = Instant::now() + timeout;
        // Before the read, so that an end after it is not missed.
        let mut waiter = self.inner.wake.wait_for(id);
        let found = self.get(id, namespace).await?;
        let may_end = found
            .as_ref()
            .is_some_and(|it| !it.public_state.is_terminal());
        if !may_end || timeout.is_zero() {
            return Ok(found);
        }
        self.outcome(&mut waiter, deadline).await?;
        self.get(id, namespace).await
    }

    /// Waits until an execution is finished or `timeout` has passed; returns
    /// whether it is finished. An execution that does not exist never is.
    pub async fn wait_finished(&self, id: ExecutionId, timeout: Duration) -> Result<bool, Error> {
        let deadline = Instant::now() + timeout;
        Ok(self.wait_outcome(id, deadline).await?.is_some())
    }

    /// Waits until an execution is finished or the time is over; returns how it ended.
    async fn wait_outcome(
        &self,
        id: ExecutionId,
        deadline: Instant,
    ) -> Result<Option<Outcome>, Error> {
        let mut waiter = self.inner.wake.wait_for(id);
        if let Some(outcome) = self.probe_outcome(id).await? {
            return Ok(Some(outcome));
        }
        self.outcome(&mut waiter, deadline).await
    }

    /// Waits for the end of an execution that had not ended after the waiter was
    /// registered; returns how it ended, or nothing if the time is over.
    async fn outcome(
        &self,
        waiter: &mut Waiter,
        deadline: Instant,
    ) -> Result<Option<Outcome>, Error> {
        let mut pause = POLL_MIN;
        loop {
            let probe_at = deadline.min(Instant::now() + pause);
            let woken = timeout_at(probe_at, waiter.ended()).await;
            if let Ok(Some(outcome)) = woken {
                return Ok(Some(outcome));
            }
            let outcome = self.probe_outcome(waiter.id()).await?;
            if outcome.is_some() || Instant::now() >= deadline {
                return Ok(outcome);
            }
            if woken.is_err() {
                waiter.ask_others();
                pause = (pause * 2).min(POLL_MAX);
            }
        }
    }

    /// Reads how an execution ended; `None` if it has not.
    async fn probe_outcome(&self, id: ExecutionId) -> Result<Option<Outcome>, Error> {
        self.inner.batchers.outcome.call(ReadCall::new(id)).await
    }

    /// Creates an execution and waits until it is finished, `timeout` has passed or
    /// `enough` returns; returns how it ended, or nothing if it has not.
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
    ) -> Result<(Created, Option<Outcome>), Declined<CreateRefusal>> {
        let mut enough = pin!(enough);
        let deadline = Instant::now() + timeout;
        let created = match self.prepare(create).await? {
            Prepared::Made(created) => created,
            Prepared::Call(call) => {
                let mut waiter = self.inner.wake.wait_for(call.id);
                let created = self.inner.batchers.create.call(*call).await??;
                if let Created::Created { .. } = created {
                    return tokio::select! {
                        outcome = self.outcome(&mut waiter, deadline) => Ok((created, outcome?)),
                        () = &mut enough => Ok((created, None)),
                    };
                }
                created
            }
        };
        tokio::select! {
            outcome = self.wait_outcome(created.id(), deadline) => Ok((created, outcome?)),
            () = enough => Ok((created, None)),
        }
    }
}
