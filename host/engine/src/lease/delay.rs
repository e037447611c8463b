//! delay: active → delayed, as the same attempt.
//!
//! Event: `delayed`.

use model::{Fence, Invalid, LeaseRefusal, Moment};
use time::OffsetDateTime;

use super::{EndLease, Report};
use crate::checks::delay;
use crate::{Declined, Engine, Error};

/// A holder's request to resume later.
#[derive(Debug, Clone)]
pub struct Delay {
    /// The lease under which it is asked.
    pub fence: Fence,
    /// When the same attempt may resume.
    pub due: Due,
    /// What the attempt used and logged so far.
    pub report: Report,
}

/// When a delayed execution becomes due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// So many milliseconds from now; at most ten years.
    InMs(u64),
    /// At this time; immediately if it has passed.
    At(Moment),
}

impl Engine {
    /// Delays an execution and returns when it becomes due.
    ///
    /// Not a failure: the same attempt resumes under a new lease.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat under the same fence succeeds again.
    pub async fn delay(&self, delay: Delay) -> Result<OffsetDateTime, Declined<LeaseRefusal>> {
        match self
            .inner
            .batchers
            .end_lease
            .call(delay.into_end()?)
            .await??
        {
            Some(due_at) => Ok(due_at),
            // A repeat that came after the execution was promoted.
            None => Ok(self.now().await?),
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
        if let Due::InMs(ms) = self.due {
            delay(ms)?;
        }
        Ok(EndLease::delayed(self.fence, self.due, self.report))
    }
}
