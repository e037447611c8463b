//! delay: active → delayed, as the same attempt.
//!
//! Event: `delayed`.

use model::{Fence, Invalid, LeaseRefusal, Limits};
use time::OffsetDateTime;

use super::{EndLease, Report};
use crate::{Answer, Engine, Error};

/// A holder's request to resume later.
#[derive(Debug, Clone)]
pub struct Delay {
    /// The lease under which it is asked.
    pub fence: Fence,
    /// Milliseconds from now; at most ten years.
    pub delay_ms: u64,
    /// What the attempt used and logged so far.
    pub report: Report,
}

impl Engine {
    /// Delays an execution and returns when it becomes due.
    ///
    /// Not a failure: the same attempt resumes under a new lease.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat under the same fence succeeds again.
    pub async fn delay(&self, delay: Delay) -> Answer<OffsetDateTime, LeaseRefusal> {
        let call = match delay.into_end() {
            Ok(call) => call,
            Err(invalid) => return Ok(Err(invalid.into())),
        };
        match self.inner.end_lease.call(call).await? {
            Ok(Some(due_at)) => Ok(Ok(due_at)),
            // A repeat that came after the execution was promoted.
            Ok(None) => Ok(Ok(self.now().await?)),
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Returns the database's time.
    pub(crate) async fn now(&self) -> Result<OffsetDateTime, Error> {
        Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#)
            .fetch_one(&self.inner.reads)
            .await?)
    }
}

impl Delay {
    /// Checks the bounds and builds the end of the lease.
    pub(crate) fn into_end(self) -> Result<EndLease, Invalid> {
        if self.delay_ms > Limits::DURATION_MS_MAX {
            return Err(Invalid::new("delay_ms", "is more than ten years"));
        }
        Ok(EndLease::delayed(self.fence, self.delay_ms, self.report))
    }
}
