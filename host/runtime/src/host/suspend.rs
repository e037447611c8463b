//! The interface `suspend`: the guest suspends its execution until signals arrive.
//!
//! A suspension that began frees the sandbox from its lease, as any other end
//! does; one that was satisfied already leaves everything as it was.

use std::sync::Arc;

use engine::{
    Binding, CreateWaitpoint, Report, Suspend, Suspended as EngineSuspended, SuspensionTimeout,
    WaitpointRef,
};
use model::{
    Invalid, Limits, ResumeCondition, ResumePolicy, SuspensionReason, SuspensionRequester,
    TimeoutBehavior,
};
use wasmtime::component::Resource;

use super::bindings::flowhost::engine::claim::LeaseError;
use super::bindings::flowhost::engine::suspend as wit;
use super::bindings::flowhost::engine::suspend::{
    Condition, Host, HostRequest, Resumption, SuspendError, Suspended, Waitpoint,
};
use super::bindings::flowhost::engine::types::Payload;
use super::convert::said;
use super::convert::{
    self, Bounds, payload_bytes, resumption_bytes, satisfied_bytes, text_bytes, texts_bytes,
};
use super::setters::setters;
use super::store::{HostResource, refused};
use super::{HeldLease, LeaseHandle, State, SuspendCallError};

/// A suspension about to begin.
pub struct SuspendRequest {
    condition: Result<ResumeCondition, Invalid>,
    condition_bytes: usize,
    waitpoints: Vec<Binding>,
    reason: SuspensionReason,
    requested_by: SuspensionRequester,
    policy: ResumePolicy,
    timeout: Option<SuspensionTimeout>,
    timeout_behavior: Option<TimeoutBehavior>,
    idempotency_key: Option<String>,
    bounds: Bounds,
}

impl HostResource for SuspendRequest {
    fn owned_bytes(&self) -> usize {
        self.condition_bytes
            + self.waitpoints.capacity() * size_of::<Binding>()
            + self.waitpoints.iter().map(binding_bytes).sum::<usize>()
            + text_bytes(self.idempotency_key.as_ref())
            + self.bounds.owned_bytes()
    }
}

fn binding_bytes(binding: &Binding) -> usize {
    match binding {
        Binding::Fresh { key, signal_names } => key.len() + texts_bytes(signal_names),
        Binding::UsePending(_) => 0,
        Binding::Keyed(key) => key.len(),
    }
}

impl SuspendRequest {
    fn new(condition: Vec<Condition>) -> Self {
        let bytes = convert::condition_bytes(&condition);
        let condition = convert::read_condition(condition);
        Self {
            condition_bytes: condition.as_ref().map_or(0, |_| bytes),
            condition,
            waitpoints: Vec::new(),
            reason: SuspensionReason::WaitingForSignal,
            requested_by: SuspensionRequester::Worker,
            policy: ResumePolicy::default(),
            timeout: None,
            timeout_behavior: None,
            idempotency_key: None,
            bounds: Bounds::default(),
        }
    }

    /// Builds the request to the engine for a suspension under a lease.
    fn build(
        &self,
        held: &HeldLease,
        state: Option<Payload>,
        report: Report,
    ) -> Result<Suspend, Invalid> {
        self.bounds.check()?;
        Ok(Suspend {
            fence: held.attempt.fence,
            waitpoints: self.waitpoints.clone(),
            condition: self.condition.clone()?,
            resume_policy: self.policy,
            reason: self.reason,
            requested_by: self.requested_by,
            timeout: self.timeout,
            timeout_behavior: self.timeout_behavior,
            state: state.map(Into::into),
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
        self.count_call(convert::condition_bytes(&condition))?;
        self.push(SuspendRequest::new(condition))
    }

    fn add_waitpoint(
        &mut self,
        request: Resource<SuspendRequest>,
        waitpoint: wit::Binding,
    ) -> wasmtime::Result<()> {
        self.count_call(match &waitpoint {
            wit::Binding::Fresh(fresh) => fresh.key.len() + texts_bytes(&fresh.signal_names),
            wit::Binding::UsePending(text) | wit::Binding::Keyed(text) => text.len(),
        })?;
        self.change(&request, |request| {
            // One more than may be bound is kept, so that the condition's check
            // refuses.
            if request.waitpoints.len() <= Limits::WAITPOINTS_MAX {
                let checked = convert::binding(waitpoint);
                request.waitpoints.extend(request.bounds.keep(checked));
            }
        })
    }

    setters! { SuspendRequest:
        set_reason(reason: wit::Reason, 0) request => {
            request.reason = reason.into();
        };
        set_requested_by(requester: wit::Requester, 0) request => {
            request.requested_by = requester.into();
        };
        set_timeout_ms(timeout_ms: u64, 0) request => {
            request.timeout = Some(SuspensionTimeout::InMs(timeout_ms));
        };
        set_timeout_at(timeout_at: f64, 0) request => {
            let at = request.bounds.keep(convert::time_of("timeout_at", timeout_at));
            request.timeout = at.map(SuspensionTimeout::At);
        };
        set_timeout_behavior(behavior: wit::TimeoutBehavior, 0) request => {
            request.timeout_behavior = Some(behavior.into());
        };
        set_idempotency_key(key: String, key.len()) request => {
            let max = Limits::KEY_BYTES_MAX;
            request.idempotency_key = request.bounds.text("idempotency_key", key, max);
        };
        set_resume_delay_ms(delay_ms: u64, 0) request => {
            request.policy.resume_delay_ms = Some(delay_ms);
        };
        set_consume_matched_signals(consume: bool, 0) request => {
            request.policy.consume_matched_signals = consume;
        };
        set_retain_signal_buffer(retain: bool, 0) request => {
            request.policy.retain_signal_buffer_until_closed = retain;
        };
        set_close_waitpoint_on_resume(close: bool, 0) request => {
            request.policy.close_waitpoint_on_resume = close;
        };
    }

    async fn suspend(
        &mut self,
        request: Resource<SuspendRequest>,
        lease: Resource<LeaseHandle>,
        state: Option<Payload>,
    ) -> Result<Suspended, SuspendCallError> {
        let state_bytes = state.as_ref().map_or(0, payload_bytes);
        self.count_call(state_bytes)?;
        let held = self.held(&lease)?;
        // The engine takes every call under a lease that ended with a suspension for a
        // repeat of that one, since its answer may have been lost; here it was not.
        if held.attempt.is_recorded() {
            return Err(SuspendError::from(LeaseError::ExecutionNotActive).into());
        }
        if let Some(state) = &state {
            self.check_result_bytes("state", state)?;
        }
        let backend = self.engine();
        let report = backend.as_ref().map(|backend| self.report(backend, &held));
        let request = self.get(&request)?;
        let carries = state_bytes + request.owned_bytes();
        let suspend = request.build(&held, state, report.unwrap_or_default())?;
        let Some(backend) = backend else {
            return Ok(self.suspended_locally(&held, suspend)?);
        };
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.suspend(suspend).await
        });
        match answer.await? {
            Ok(EngineSuspended::Suspended(began)) => {
                self.recorded(&held);
                let waitpoints = began.waitpoints.into_iter();
                Ok(Suspended::Suspended(wit::Suspension {
                    id: began.id.to_string(),
                    waitpoints: waitpoints
                        .map(|it| convert::waitpoint(it, &backend.callback_prefix))
                        .collect(),
                    timeout_at: began.timeout_at.map(convert::timestamp_ms),
                }))
            }
            Ok(EngineSuspended::AlreadySatisfied(found)) => {
                let found = convert::satisfied(found);
                self.charge_answer(satisfied_bytes(&found))?;
                Ok(Suspended::AlreadySatisfied(found))
            }
            Err(declined) => {
                let refusal = declined.refusal()?;
                let of_lease = |refusal| self.not_ended(&held, refusal);
                Err(convert::suspend_refusal(refusal, of_lease).into())
            }
        }
    }

    fn drop(&mut self, request: Resource<SuspendRequest>) -> wasmtime::Result<()> {
        self.delete(request)?;
        Ok(())
    }
}

impl Host for State {
    fn convert_suspend_error(&mut self, error: SuspendCallError) -> wasmtime::Result<SuspendError> {
        error.refused()
    }

    async fn create_waitpoint(
        &mut self,
        lease: Resource<LeaseHandle>,
        key: String,
        expires_in_ms: Option<u64>,
        signal_names: Vec<String>,
    ) -> Result<Waitpoint, SuspendCallError> {
        let carries = key.len() + texts_bytes(&signal_names);
        self.count_call(carries)?;
        let held = self.held(&lease)?;
        convert::check_key(&key)?;
        convert::check_names(&signal_names)?;
        let Some(backend) = self.engine() else {
            return Ok(self.created_locally(&held, key)?);
        };
        let create = CreateWaitpoint {
            fence: held.attempt.fence,
            key,
            expires_in_ms,
            signal_names,
        };
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.create_waitpoint(create).await
        });
        match answer.await? {
            Ok(created) => Ok(convert::waitpoint(created, &backend.callback_prefix)),
            Err(declined) => {
                let refusal = declined.refusal()?;
                let of_lease = |refusal| refused(&held, refusal);
                Err(convert::suspend_refusal(refusal, of_lease).into())
            }
        }
    }

    async fn close_waitpoint(
        &mut self,
        lease: Resource<LeaseHandle>,
        waitpoint: String,
    ) -> Result<(), SuspendCallError> {
        let carries = waitpoint.len();
        self.count_call(carries)?;
        let held = self.held(&lease)?;
        let waitpoint = WaitpointRef::of_text(&waitpoint)?;
        let Some(backend) = self.engine() else {
            return Ok(self.closed_locally(&held, &waitpoint)?);
        };
        let fence = held.attempt.fence;
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.close_held_waitpoint(fence, waitpoint).await
        });
        match answer.await? {
            Ok(()) => Ok(()),
            Err(declined) => {
                let refusal = declined.refusal()?;
                let of_lease = |refusal| refused(&held, refusal);
                Err(convert::suspend_refusal(refusal, of_lease).into())
            }
        }
    }

    fn resumed(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<Option<Resumption>> {
        self.count_call(0)?;
        let held = self.held(&lease)?;
        self.charge_answer(held.resumption.as_ref().map_or(0, resumption_bytes))?;
        Ok(held.resumption.clone())
    }
}

impl From<LeaseError> for SuspendError {
    fn from(error: LeaseError) -> Self {
        Self::Lease(error)
    }
}

impl From<Invalid> for SuspendError {
    fn from(invalid: Invalid) -> Self {
        LeaseError::Invalid(said(&invalid)).into()
    }
}
