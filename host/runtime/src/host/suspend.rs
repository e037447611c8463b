//! The interface `suspend`: the guest puts its execution down until the world
//! answers.
//!
//! A suspension that began frees the sandbox from its lease, as any other end
//! does; one that was satisfied already leaves everything as it was.

use std::sync::Arc;

use engine::{
    Binding, CreateWaitpoint, Report, Suspend, Suspended as EngineSuspended, SuspensionTimeout,
};
use model::{
    Invalid, LeaseRefusal, Limits, Moment, ResumeCondition, ResumePolicy, SuspendRefusal,
    SuspensionReason, SuspensionRequester, TimeoutBehavior, WaitpointState,
};
use wasmtime::component::Resource;

use super::bounds::Bounds;
use super::condition;
use super::side::{refused, unavailable};
use super::{HostSide, LeaseHandle, State};
use crate::bindings::flowhost::engine::claim::LeaseError;
use crate::bindings::flowhost::engine::suspend as wit;
use crate::bindings::flowhost::engine::suspend::{
    Condition, Host, HostRequest, Resumption, SuspendError, Suspended, Waitpoint,
};
use crate::bindings::flowhost::engine::types::Payload;
use crate::held::Held;
use crate::resumption::{resumption, waitpoint};

/// A suspension about to begin.
pub struct SuspendRequest {
    condition: Result<ResumeCondition, Invalid>,
    waitpoints: Vec<Binding>,
    reason: SuspensionReason,
    policy: ResumePolicy,
    timeout: Option<SuspensionTimeout>,
    timeout_behavior: Option<TimeoutBehavior>,
    idempotency_key: Option<String>,
    bounds: Bounds,
}

impl SuspendRequest {
    fn new(condition: Vec<Condition>) -> Self {
        Self {
            condition: condition::read(condition),
            waitpoints: Vec::new(),
            reason: SuspensionReason::WaitingForSignal,
            policy: ResumePolicy::default(),
            timeout: None,
            timeout_behavior: None,
            idempotency_key: None,
            bounds: Bounds::default(),
        }
    }

    /// Builds what the engine is asked for under a lease.
    fn ask(&self, held: &Held, state: Option<Payload>, report: Report) -> Result<Suspend, Invalid> {
        self.bounds.check()?;
        Ok(Suspend {
            fence: held.attempt.fence,
            waitpoints: self.waitpoints.clone(),
            condition: self.condition.clone()?,
            resume_policy: self.policy,
            reason: self.reason,
            requested_by: SuspensionRequester::Worker,
            timeout: self.timeout,
            timeout_behavior: self.timeout_behavior,
            state: state.map(crate::task::payload),
            idempotency_key: self.idempotency_key.clone(),
            report,
            known: held
                .known
                .as_ref()
                .map(|(policy, _retries)| (held.task.namespace.clone(), Arc::clone(policy))),
        })
    }
}

impl HostRequest for State {
    fn new(&mut self, condition: Vec<Condition>) -> wasmtime::Result<Resource<SuspendRequest>> {
        self.called(condition::bytes(&condition))?;
        self.push(SuspendRequest::new(condition))
    }

    fn add_waitpoint(
        &mut self,
        request: Resource<SuspendRequest>,
        waitpoint: wit::Binding,
    ) -> wasmtime::Result<()> {
        self.called(match &waitpoint {
            wit::Binding::Fresh(fresh) => fresh.key.len() + text_bytes(&fresh.signal_names),
            wit::Binding::UsePending(text) | wit::Binding::Keyed(text) => text.len(),
        })?;
        let request = self.table.get_mut(&request)?;
        // One more than may be bound is kept, so that the condition's check
        // refuses.
        if request.waitpoints.len() <= Limits::WAITPOINTS_MAX {
            let checked = bound(waitpoint);
            request.waitpoints.extend(request.bounds.hold(checked));
        }
        Ok(())
    }

    fn set_reason(
        &mut self,
        request: Resource<SuspendRequest>,
        reason: wit::Reason,
    ) -> wasmtime::Result<()> {
        self.called(0)?;
        self.table.get_mut(&request)?.reason = suspension_reason(reason);
        Ok(())
    }

    fn set_timeout_ms(
        &mut self,
        request: Resource<SuspendRequest>,
        timeout_ms: u32,
    ) -> wasmtime::Result<()> {
        self.called(0)?;
        let timeout = SuspensionTimeout::InMs(u64::from(timeout_ms));
        self.table.get_mut(&request)?.timeout = Some(timeout);
        Ok(())
    }

    fn set_timeout_at(
        &mut self,
        request: Resource<SuspendRequest>,
        timeout_at: f64,
    ) -> wasmtime::Result<()> {
        self.called(0)?;
        let request = self.table.get_mut(&request)?;
        let at = request.bounds.hold(time_of("timeout_at", timeout_at));
        request.timeout = at.map(SuspensionTimeout::At);
        Ok(())
    }

    fn set_timeout_behavior(
        &mut self,
        request: Resource<SuspendRequest>,
        behavior: wit::TimeoutBehavior,
    ) -> wasmtime::Result<()> {
        self.called(0)?;
        self.table.get_mut(&request)?.timeout_behavior = Some(timeout_behavior(behavior));
        Ok(())
    }

    fn set_idempotency_key(
        &mut self,
        request: Resource<SuspendRequest>,
        key: String,
    ) -> wasmtime::Result<()> {
        self.called(key.len())?;
        let request = self.table.get_mut(&request)?;
        let max = Limits::KEY_BYTES_MAX;
        request.idempotency_key = request.bounds.text("idempotency_key", key, max);
        Ok(())
    }

    fn set_resume_delay_ms(
        &mut self,
        request: Resource<SuspendRequest>,
        delay_ms: u32,
    ) -> wasmtime::Result<()> {
        self.called(0)?;
        self.table.get_mut(&request)?.policy.resume_delay_ms = Some(u64::from(delay_ms));
        Ok(())
    }

    fn set_consume_matched_signals(
        &mut self,
        request: Resource<SuspendRequest>,
        consume: bool,
    ) -> wasmtime::Result<()> {
        self.called(0)?;
        self.table.get_mut(&request)?.policy.consume_matched_signals = consume;
        Ok(())
    }

    fn set_retain_signal_buffer(
        &mut self,
        request: Resource<SuspendRequest>,
        retain: bool,
    ) -> wasmtime::Result<()> {
        self.called(0)?;
        let policy = &mut self.table.get_mut(&request)?.policy;
        policy.retain_signal_buffer_until_closed = retain;
        Ok(())
    }

    fn set_close_waitpoint_on_resume(
        &mut self,
        request: Resource<SuspendRequest>,
        close: bool,
    ) -> wasmtime::Result<()> {
        self.called(0)?;
        self.table
            .get_mut(&request)?
            .policy
            .close_waitpoint_on_resume = close;
        Ok(())
    }

    async fn suspend(
        &mut self,
        request: Resource<SuspendRequest>,
        lease: Resource<LeaseHandle>,
        state: Option<Payload>,
    ) -> wasmtime::Result<Result<Suspended, SuspendError>> {
        let bytes = |state: &Payload| state.content_type.len() + state.data.len();
        self.called(state.as_ref().map_or(0, bytes))?;
        let held = self.held(&lease)?;
        // The engine takes whatever comes under a lease that ended with a suspension
        // for a repeat of that, since its answer may have been lost; here it was not.
        if held.attempt.is_recorded() {
            return Ok(Err(LeaseError::ExecutionNotActive.into()));
        }
        let max = self.result_bytes_max;
        if let Some(state) = &state
            && state.data.len() > max as usize
        {
            let detail = format!("{} bytes, at most {max}", state.data.len());
            return Ok(Err(Invalid::new("state", detail).into()));
        }
        let report = match &self.side {
            HostSide::Engine(side) => self.report(side, &held),
            HostSide::Local(_) => Report::default(),
        };
        let suspend = match self.table.get(&request)?.ask(&held, state, report) {
            Ok(suspend) => suspend,
            Err(invalid) => return Ok(Err(invalid.into())),
        };
        let HostSide::Engine(side) = &self.side else {
            return Ok(self.suspended_locally(&held, suspend));
        };
        let engine = side.engine.clone();
        let answer = side
            .on_main(async move { engine.suspend(suspend).await })
            .await?;
        Ok(match answer {
            Ok(Ok(EngineSuspended::Suspended(began))) => {
                self.recorded(&held);
                let made = |it| waitpoint(it, &side.callback_prefix);
                Ok(Suspended::Suspended(wit::Suspension {
                    id: began.id.to_string(),
                    waitpoints: began.waitpoints.into_iter().map(made).collect(),
                    timeout_at: began.timeout_at.map(crate::task::timestamp_ms),
                }))
            }
            Ok(Ok(EngineSuspended::AlreadySatisfied(found))) => {
                Ok(Suspended::AlreadySatisfied(resumption(found)))
            }
            Ok(Err(refusal)) => Err(refused_by_name(refusal, |lease| {
                self.not_ended(&held, lease)
            })),
            Err(error) => Err(LeaseError::Unavailable(unavailable(&error)).into()),
        })
    }

    fn drop(&mut self, request: Resource<SuspendRequest>) -> wasmtime::Result<()> {
        self.table.delete(request)?;
        Ok(())
    }
}

impl Host for State {
    async fn create_waitpoint(
        &mut self,
        lease: Resource<LeaseHandle>,
        key: String,
        expires_in_ms: Option<u32>,
        signal_names: Vec<String>,
    ) -> wasmtime::Result<Result<Waitpoint, SuspendError>> {
        self.called(key.len() + text_bytes(&signal_names))?;
        let held = self.held(&lease)?;
        if let Err(invalid) = checked_key(&key).and(checked_names(&signal_names)) {
            return Ok(Err(invalid.into()));
        }
        let HostSide::Engine(side) = &self.side else {
            return Ok(self.created_locally(&held, key));
        };
        let create = CreateWaitpoint {
            fence: held.attempt.fence,
            key,
            expires_in_ms: expires_in_ms.map(u64::from),
            signal_names,
        };
        let engine = side.engine.clone();
        let answer = side
            .on_main(async move { engine.create_waitpoint(create).await })
            .await?;
        Ok(match answer {
            Ok(Ok(made)) => Ok(waitpoint(made, &side.callback_prefix)),
            Ok(Err(refusal)) => Err(refused_by_name(refusal, |lease| refused(&held, lease))),
            Err(error) => Err(LeaseError::Unavailable(unavailable(&error)).into()),
        })
    }

    fn resumed(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<Option<Resumption>> {
        self.called(0)?;
        Ok(self.held(&lease)?.resumption.clone())
    }
}

impl From<LeaseError> for SuspendError {
    fn from(error: LeaseError) -> Self {
        Self::Lease(error)
    }
}

impl From<Invalid> for SuspendError {
    fn from(invalid: Invalid) -> Self {
        LeaseError::Invalid(invalid.to_string()).into()
    }
}

/// Turns a refusal into the guest's words; one of the lease itself is left to the
/// caller.
fn refused_by_name(
    refusal: SuspendRefusal,
    of_lease: impl FnOnce(LeaseRefusal) -> LeaseError,
) -> SuspendError {
    match refusal {
        SuspendRefusal::Lease(refusal) => of_lease(refusal).into(),
        SuspendRefusal::WaitpointAlreadyExists { key } => SuspendError::WaitpointAlreadyExists(key),
        SuspendRefusal::WaitpointNotFound => SuspendError::WaitpointNotFound,
        SuspendRefusal::WaitpointNotPending { state } => {
            SuspendError::WaitpointNotPending(match state {
                WaitpointState::Pending => wit::WaitpointState::Pending,
                WaitpointState::Active => wit::WaitpointState::Active,
                WaitpointState::Closed => wit::WaitpointState::Closed,
                WaitpointState::Expired => wit::WaitpointState::Expired,
            })
        }
        SuspendRefusal::PendingWaitpointExpired => SuspendError::PendingWaitpointExpired,
        SuspendRefusal::WaitpointLimitExceeded { max } => {
            SuspendError::WaitpointLimitExceeded(u32::try_from(max).unwrap_or(u32::MAX))
        }
    }
}

pub(super) fn text_bytes(texts: &[String]) -> usize {
    texts.iter().map(String::len).sum()
}

fn bound(binding: wit::Binding) -> Result<Binding, Invalid> {
    Ok(match binding {
        wit::Binding::Fresh(fresh) => {
            checked_key(&fresh.key)?;
            checked_names(&fresh.signal_names)?;
            Binding::Fresh {
                key: fresh.key,
                signal_names: fresh.signal_names,
            }
        }
        wit::Binding::UsePending(id) => Binding::UsePending(
            id.parse()
                .map_err(|_| Invalid::new("waitpoint_id", "is not the id of a waitpoint"))?,
        ),
        wit::Binding::Keyed(key) => {
            model::waitpoint_key(&key)?;
            Binding::Keyed(key)
        }
    })
}

/// An empty key asks for one that is made up.
fn checked_key(key: &str) -> Result<(), Invalid> {
    if key.is_empty() {
        return Ok(());
    }
    model::waitpoint_key(key)
}

fn checked_names(names: &[String]) -> Result<(), Invalid> {
    let max = Limits::TOKEN_SIGNAL_NAMES_MAX;
    if names.len() > max {
        return Err(Invalid::new("signal_names", format!("at most {max}")));
    }
    names.iter().try_for_each(|name| model::signal_name(name))
}

fn time_of(field: &'static str, ms: f64) -> Result<Moment, Invalid> {
    Moment::from_unix_ms(ms).map_err(|error| Invalid::new(field, error.to_string()))
}

fn suspension_reason(reason: wit::Reason) -> SuspensionReason {
    use wit::Reason;
    match reason {
        Reason::WaitingForSignal => SuspensionReason::WaitingForSignal,
        Reason::WaitingForApproval => SuspensionReason::WaitingForApproval,
        Reason::WaitingForCallback => SuspensionReason::WaitingForCallback,
        Reason::WaitingForToolResult => SuspensionReason::WaitingForToolResult,
        Reason::WaitingForOperatorReview => SuspensionReason::WaitingForOperatorReview,
        Reason::PausedByPolicy => SuspensionReason::PausedByPolicy,
        Reason::PausedByBudget => SuspensionReason::PausedByBudget,
        Reason::StepBoundary => SuspensionReason::StepBoundary,
        Reason::ManualPause => SuspensionReason::ManualPause,
    }
}

fn timeout_behavior(behavior: wit::TimeoutBehavior) -> TimeoutBehavior {
    use wit::TimeoutBehavior as Asked;
    match behavior {
        Asked::Fail => TimeoutBehavior::Fail,
        Asked::Cancel => TimeoutBehavior::Cancel,
        Asked::Expire => TimeoutBehavior::Expire,
        Asked::AutoResumeWithTimeoutSignal => TimeoutBehavior::AutoResumeWithTimeoutSignal,
        Asked::Escalate => TimeoutBehavior::Escalate,
    }
}
