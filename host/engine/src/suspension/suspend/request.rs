//! The holder's request to wait for signals, and its answers.

use std::sync::Arc;

use model::{
    ExecutionPolicy, Fence, Invalid, Limits, Moment, ResumeCondition, ResumePolicy, SuspensionId,
    SuspensionReason, SuspensionRequester, TimeoutBehavior, WaitpointId,
};
use time::OffsetDateTime;

use crate::checks::{Payload, content_type, given, payload_bytes};
use crate::lease::{Report, Resumption};
use crate::waitpoint::OpenWaitpoint;

/// The holder's request to wait for signals.
#[derive(Debug, Clone)]
pub struct Suspend {
    /// Fence of the lease that ends with the suspension.
    pub fence: Fence,
    /// The waitpoints it waits at, at most [`Limits::WAITPOINTS_MAX`]; empty: a
    /// [`Binding::Keyed`] for each key that the condition names, or a single new one if
    /// it names none.
    pub waitpoints: Vec<Binding>,
    /// Which signals satisfy the suspension.
    pub condition: ResumeCondition,
    /// What happens to the execution, its signals and waitpoints when it resumes.
    pub resume_policy: ResumePolicy,
    /// Why the execution waits, for people.
    pub reason: SuspensionReason,
    /// Who asked the holder to suspend; not a time limit, which only the engine applies.
    pub requested_by: SuspensionRequester,
    /// When it times out; absent: as the execution's policy says.
    pub timeout: Option<SuspensionTimeout>,
    /// What happens when it times out; absent: as the execution's policy says.
    pub timeout_behavior: Option<TimeoutBehavior>,
    /// What the handler resumes with, bounded as a result is; absent: nothing is saved.
    pub state: Option<Payload>,
    /// Names the suspension within its execution, 1 to 255 bytes: a repeat with this key
    /// is answered with the outcome of the first request.
    pub idempotency_key: Option<String>,
    /// Resources the attempt has used and what it has logged.
    pub report: Report,
    /// Namespace and policy, as the claim returned them; absent for callers that did not
    /// keep them.
    pub known: Option<(String, Arc<ExecutionPolicy>)>,
}

/// A waitpoint that a suspension waits at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// A new one; its key must not be that of an open one.
    Fresh {
        /// Its key; empty only for the first: `wpk:` and its id.
        key: String,
        /// Names of signals its token may send; empty: any.
        signal_names: Vec<String>,
    },
    /// One that is pending.
    UsePending(WaitpointId),
    /// The pending one with this key, or else a new one.
    Keyed(String),
}

/// When a suspension times out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspensionTimeout {
    /// So many milliseconds from now, 1 to ten years.
    InMs(u64),
    /// At this time, by the database's clock; one that has passed is refused.
    At(Moment),
}

/// The answer to a request to suspend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspended {
    /// The execution is suspended, and its lease has ended.
    Suspended(Suspension),
    /// Signals that were received before satisfy the condition; the lease stays.
    AlreadySatisfied(Satisfied),
}

/// A suspension that was satisfied before it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Satisfied {
    /// What the handler resumes with.
    pub resumption: Resumption,
    /// The pending waitpoints it was bound to, ordered by key.
    pub waitpoints: Vec<SuspensionWaitpoint>,
}

/// A waitpoint that a suspension was bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspensionWaitpoint {
    /// Id of the waitpoint.
    pub id: WaitpointId,
    /// Its key within the execution.
    pub key: String,
}

/// A suspension that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Id of the suspension.
    pub id: SuspensionId,
    /// The waitpoints it waits at, in the order asked for.
    pub waitpoints: Vec<OpenWaitpoint>,
    /// When it times out; absent if nothing limits it.
    pub timeout_at: Option<OffsetDateTime>,
}

impl Suspend {
    /// Checks the bounds of what the holder chose; a state without a media type is taken
    /// for bytes.
    pub(super) fn check(&mut self, state_bytes_max: u32) -> Result<(), Invalid> {
        self.requested_by.check_holder()?;
        self.resume_policy.check()?;
        if let Some(SuspensionTimeout::InMs(ms)) = self.timeout {
            model::time_limit("timeout_ms", Some(ms))?;
        }
        if let Some(state) = &mut self.state {
            content_type("state.content_type", &mut state.content_type)?;
            payload_bytes("state", state.data.len(), state_bytes_max)?;
        }
        if let Some(key) = &self.idempotency_key {
            given("idempotency_key", key, Limits::KEY_BYTES_MAX)?;
        }
        Ok(())
    }

    /// Checks that the timeout behavior asked for can happen.
    ///
    /// # Errors
    /// Nothing limits the time.
    pub fn check_timeout_behavior(&self, has_deadline: bool) -> Result<(), Invalid> {
        match self.timeout_behavior {
            Some(behavior) if !has_deadline => {
                let detail = format!(
                    "`{behavior}` would never happen: give timeout_ms or timeout_at too, or policy.suspension_policy.default_timeout_ms to the execution"
                );
                Err(Invalid::new("timeout_behavior", detail))
            }
            _ => Ok(()),
        }
    }

    /// Writes the condition as it is stored.
    pub(super) fn condition_text(&self) -> String {
        json(&self.condition)
    }

    /// Writes the resume policy as it is stored; `None` for the default.
    pub(super) fn resume_policy_text(&self) -> Option<String> {
        let policy = self.resume_policy;
        (policy != ResumePolicy::default()).then(|| json(&policy))
    }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("invariant: texts and numbers are written as JSON")
}
