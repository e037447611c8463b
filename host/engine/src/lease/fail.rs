//! fail: active → delayed for a retry, or finished as failed.
//!
//! The frozen policy decides. Event: `retry_scheduled` or `failed`.

use std::sync::Arc;

use model::{EngineCode, ExecutionPolicy, Failure, Fence, Invalid, LeaseRefusal};
use time::OffsetDateTime;

use super::{EndLease, Report};
use crate::checks::text;
use crate::row::{count, policy};
use crate::{Declined, Engine, Error};

/// The holder's failure.
#[derive(Debug, Clone)]
pub struct Fail {
    /// The lease under which it happened.
    pub fence: Fence,
    /// What happened. Codes the engine gives itself are refused, see
    /// [`model::EngineCode`].
    pub failure: Failure,
    /// Whether the host stopped the attempt because it ran longer than its policy
    /// allows. The code and the class are the engine's then, and without a retry the
    /// execution expires.
    pub timed_out: bool,
    /// What the attempt used and logged.
    pub report: Report,
    /// The policy and the failures so far, as the claim returned them; absent
    /// for callers that did not keep them.
    pub known: Option<(Arc<ExecutionPolicy>, u32)>,
}

/// The state of the execution after the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Another attempt becomes due at this time.
    RetryScheduled {
        /// When it becomes due, by the database's clock.
        due_at: OffsetDateTime,
        /// The number of that attempt, from zero.
        attempt: u32,
    },
    /// The execution is finished.
    Terminal,
}

impl Engine {
    /// Reports a failed attempt and applies the retry policy.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]. A repeat under the same fence with the same failure is
    /// answered as the first was, in whichever state the execution is since.
    pub async fn fail(&self, mut fail: Fail) -> Result<Failed, Declined<LeaseRefusal>> {
        if fail.timed_out {
            fail.failure = Failure {
                backtrace: fail.failure.backtrace,
                ..Failure::by_engine(EngineCode::AttemptTimeout, fail.failure.message)
            };
        }
        match fail.timed_out {
            true => check_message(&fail.failure)?,
            false => check_failure(&fail.failure)?,
        }
        let next = fail.fence.attempt + 1;
        let (policy, retries) = match fail.known {
            Some(known) => known,
            None => {
                let read = self.policy_and_retries(fail.fence).await?;
                read.ok_or(LeaseRefusal::ExecutionNotFound)?
            }
        };
        let (failure, timed_out) = (fail.failure, fail.timed_out);
        let call = EndLease::failed(
            fail.fence,
            failure,
            timed_out,
            fail.report,
            &policy,
            retries,
        );
        Ok(match self.inner.batchers.end_lease.call(call).await?? {
            Some(due_at) => Failed::RetryScheduled {
                due_at,
                attempt: next,
            },
            None => Failed::Terminal,
        })
    }

    /// Reads the policy of an execution and its failures so far.
    async fn policy_and_retries(
        &self,
        fence: Fence,
    ) -> Result<Option<(Arc<ExecutionPolicy>, u32)>, Error> {
        let id = fence.execution_id;
        let row = sqlx::query!(
            r#"SELECT e.policy, l.retries AS "retries?"
               FROM execution e LEFT JOIN lease l ON l.partition = $1 AND l.execution_id = $2
               WHERE e.partition = $1 AND e.id = $2"#,
            id.partition().column(),
            id.uuid(),
        )
        .fetch_optional(&self.inner.reads)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let policy = policy(id.uuid(), row.policy.as_deref())?;
        // Without a lease the fence cannot match and the number is not used.
        Ok(Some((Arc::new(policy), count(row.retries.unwrap_or(0)))))
    }
}

/// Checks what a caller says about its failure.
pub(crate) fn check_failure(failure: &Failure) -> Result<(), Invalid> {
    model::failure_code(&failure.code)?;
    check_message(failure)
}

fn check_message(failure: &Failure) -> Result<(), Invalid> {
    text("failure.message", &failure.message, usize::MAX)?;
    let backtrace = failure.backtrace.as_deref().unwrap_or_default();
    text("failure.backtrace", backtrace, usize::MAX)
}
