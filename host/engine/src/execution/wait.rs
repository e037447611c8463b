//! Waiting for the end of an execution.
//!
//! Nothing is held while waiting but a place in a map: an end on this host wakes
//! the waiter, and a poll that backs off finds an end on another.

use std::pin::pin;
use std::time::Duration;

use model::ExecutionId;
use tokio::time::Instant;

use super::read::ExecutionInfo;
use crate::{Engine, Error};

/// First pause between two looks; it doubles up to [`POLL_MAX`].
const POLL_MIN: Duration = Duration::from_millis(100);
const POLL_MAX: Duration = Duration::from_secs(2);

impl Engine {
    /// Waits until an execution is finished or `timeout` has passed and returns
    /// it as it then is; `None` if there is none in the namespace.
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
            // Registered before the look, so that an end in between wakes.
            let mut notified = pin!(waiter.notified());
            notified.as_mut().enable();
            if self.outcome(id).await?.is_some() {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            let look = deadline.min(now + pause);
            if tokio::time::timeout_at(look, notified).await.is_ok() {
                return Ok(true);
            }
            pause = (pause * 2).min(POLL_MAX);
        }
    }
}
