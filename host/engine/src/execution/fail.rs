//! fail: active → delayed for a retry, or finished as failed.
//!
//! The frozen policy decides; its decision cannot change while the fence holds,
//! so it is made before the statement. Event: `retry_scheduled` or `failed`.

use std::sync::Arc;

use model::{
    AttemptEnd, AttemptType, BlockingReason, EngineCode, EventKind, ExecutionPolicy, Failure,
    Fence, Invalid, LeaseRefusal, Outcome, Retry, StateKind,
};
use time::OffsetDateTime;

use super::claimed::policy;
use super::row::count;
use super::{Condition, Goes, ReleaseCall, Report, text};
use crate::{Answer, Engine, Error, mint};

/// The holder's failure.
#[derive(Debug, Clone)]
pub struct Fail {
    /// The lease it happened under.
    pub fence: Fence,
    /// What happened. Codes the engine gives itself are refused, see
    /// [`model::EngineCode`].
    pub failure: Failure,
    /// Whether the host stopped the attempt because its time was over. The code and the
    /// class are the engine's then, and without a retry the execution expires.
    pub timed_out: bool,
    /// What the attempt used and said.
    pub report: Report,
    /// The policy and the failures so far, as the claim returned them; absent
    /// for callers that did not keep them.
    pub known: Option<(Arc<ExecutionPolicy>, u32)>,
}

/// What became of the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Another attempt becomes due at this time.
    RetryScheduled {
        /// When.
        due_at: OffsetDateTime,
        /// Its number, from zero.
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
    /// answered as the first was, whatever became of the execution since.
    pub async fn fail(&self, mut fail: Fail) -> Answer<Failed, LeaseRefusal> {
        if fail.timed_out {
            fail.failure = Failure {
                backtrace: fail.failure.backtrace,
                ..Failure::by_engine(EngineCode::AttemptTimeout, fail.failure.message)
            };
        }
        let checked = match fail.timed_out {
            true => check_message(&fail.failure),
            false => check(&fail.failure),
        };
        if let Err(invalid) = checked {
            return Ok(Err(invalid.into()));
        }
        let next = fail.fence.attempt + 1;
        let Some((policy, retries)) = (match fail.known {
            Some(known) => Some(known),
            None => self.standing(fail.fence).await?,
        }) else {
            return Ok(Err(LeaseRefusal::ExecutionNotFound));
        };
        let call = failed(
            fail.fence,
            Condition::Held,
            fail.failure,
            fail.timed_out,
            fail.report,
            &policy,
            retries,
        );
        Ok(self
            .inner
            .release
            .call(call)
            .await?
            .map(|due_at| match due_at {
                Some(due_at) => Failed::RetryScheduled {
                    due_at,
                    attempt: next,
                },
                None => Failed::Terminal,
            }))
    }

    /// Reads the policy of an execution and its failures so far.
    async fn standing(&self, fence: Fence) -> Result<Option<(Arc<ExecutionPolicy>, u32)>, Error> {
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
        let policy = match row.policy {
            None => ExecutionPolicy::default(),
            Some(text) => policy(id.uuid(), &text)?,
        };
        // Without a lease the fence cannot match and the number is not used.
        Ok(Some((Arc::new(policy), count(row.retries.unwrap_or(0)))))
    }
}

/// Builds the end of an attempt that failed: a retry, or the end of the
/// execution. An attempt that ran too long ends the execution as expired.
pub(crate) fn failed(
    fence: Fence,
    condition: Condition,
    failure: Failure,
    timed_out: bool,
    report: Report,
    policy: &ExecutionPolicy,
    retries: u32,
) -> ReleaseCall {
    let (goes, event) = match policy
        .retry_policy
        .decide(failure.class, retries, mint::unit())
    {
        Retry::After(delay_ms) => (
            Goes::Parked {
                state: StateKind::Delayed,
                why: BlockingReason::WaitingForRetryBackoff,
                delay_ms: Some(delay_ms),
                next_type: AttemptType::Retry,
                resumes: false,
                retries_add: 1,
            },
            EventKind::RetryScheduled,
        ),
        Retry::NotRetryable | Retry::Exhausted => {
            let (outcome, event) = if timed_out {
                (Outcome::Expired, EventKind::ExecutionExpired)
            } else {
                (Outcome::Failed, EventKind::Failed)
            };
            (
                Goes::Finished {
                    outcome,
                    result: None,
                    source: None,
                },
                event,
            )
        }
    };
    ReleaseCall {
        fence,
        condition,
        ended: if timed_out {
            AttemptEnd::Expired
        } else {
            AttemptEnd::Failure
        },
        goes,
        involuntary: condition == Condition::Overdue,
        failure: Some(failure),
        report,
        event,
        operation: None,
    }
}

/// Checks what a caller says about its failure.
pub(super) fn check(failure: &Failure) -> Result<(), Invalid> {
    model::failure_code(&failure.code)?;
    check_message(failure)
}

fn check_message(failure: &Failure) -> Result<(), Invalid> {
    text("failure.message", &failure.message, usize::MAX)?;
    let backtrace = failure.backtrace.as_deref().unwrap_or_default();
    text("failure.backtrace", backtrace, usize::MAX)
}
