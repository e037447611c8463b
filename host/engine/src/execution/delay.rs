//! delay: active → delayed, as the same attempt.
//!
//! Event: `delayed`.

use model::{
    AttemptEnd, AttemptType, BlockingReason, EventKind, Fence, Invalid, LeaseRefusal, Limits,
    StateKind,
};
use time::OffsetDateTime;

use super::{Condition, Goes, ReleaseCall, Report};
use crate::{Answer, Engine, Error};

/// The holder's wish to go on later.
#[derive(Debug, Clone)]
pub struct Delay {
    /// The lease it is asked under.
    pub fence: Fence,
    /// Milliseconds from now.
    pub delay_ms: u64,
    /// What the attempt used and said so far.
    pub report: Report,
}

impl Engine {
    /// Puts an execution down until a time and returns that time.
    ///
    /// Not a failure: the same attempt goes on under a new lease.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat under the same fence succeeds again.
    pub async fn delay(&self, delay: Delay) -> Answer<OffsetDateTime, LeaseRefusal> {
        let call = match put_down(delay) {
            Ok(call) => call,
            Err(invalid) => return Ok(Err(invalid.into())),
        };
        match self.inner.release.call(call).await? {
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

/// Builds the end of a lease that goes on later.
pub(super) fn put_down(delay: Delay) -> Result<ReleaseCall, Invalid> {
    if delay.delay_ms > Limits::DURATION_MS_MAX {
        return Err(Invalid::new("delay_ms", "is more than ten years"));
    }
    Ok(ReleaseCall {
        fence: delay.fence,
        condition: Condition::Held,
        ended: AttemptEnd::Delayed,
        goes: Goes::Parked {
            state: StateKind::Delayed,
            why: BlockingReason::WaitingForDelay,
            delay_ms: Some(delay.delay_ms),
            next_type: AttemptType::Initial,
            resumes: true,
            retries_add: 0,
        },
        involuntary: false,
        failure: None,
        report: delay.report,
        event: EventKind::Delayed,
        operation: None,
    })
}
