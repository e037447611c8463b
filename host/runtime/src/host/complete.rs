//! The interface `complete`: the guest ends its attempt itself.
//!
//! A recorded end releases the lease: a handler may still tidy up within the grace, a
//! service takes its next lease.

use engine::{CancelHeld, Complete, Declined, Delay, Due, Fail, Failed as EngineFailed, WaitFor};
use model::{FlowRefusal, Invalid, LeaseRefusal, Limits};
use wasmtime::component::Resource;

use super::bindings::flowhost::engine::claim::LeaseError;
use super::bindings::flowhost::engine::complete::{Failed, Host, Retry};
use super::bindings::flowhost::engine::types::{Failure, Payload};
use super::convert::{self, check_payload, check_text, outcome, payload_bytes, timestamp_ms};
use super::store::refused;
use super::{CallError, HeldLease, LeaseCallError, LeaseHandle, Role, State};

impl Host for State {
    async fn complete(
        &mut self,
        lease: Resource<LeaseHandle>,
        result: Payload,
    ) -> Result<(), LeaseCallError> {
        let carries = payload_bytes(&result);
        self.count_call(carries)?;
        let held = self.held(&lease)?;
        self.check_result_bytes("result", &result)?;
        let result = engine::Payload::from(result);
        let Some(backend) = self.engine() else {
            return Ok(self.ended_locally(&held, "complete", &result)?);
        };
        let request = Complete {
            fence: held.attempt.fence,
            result,
            report: self.report(&backend, &held),
        };
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.complete(request).await
        });
        let answer = answer.await?;
        self.ended(&held, answer)
    }

    async fn fail(
        &mut self,
        lease: Resource<LeaseHandle>,
        failure: Failure,
    ) -> Result<Failed, LeaseCallError> {
        self.count_call(failure.code.len() + failure.message.len())?;
        let held = self.held(&lease)?;
        // A failure that is returned must be recorded in any case; a guest that calls can
        // correct itself.
        if model::is_reserved_code(&failure.code) {
            model::failure_code(&failure.code)?;
        }
        let failure = outcome::failure(failure);
        let Some(backend) = self.engine() else {
            self.ended_locally(&held, "fail", &failure)?;
            return Ok(Failed::Terminal);
        };
        let carries = failure.message.len();
        let request = Fail {
            fence: held.attempt.fence,
            failure,
            timed_out: false,
            report: self.report(&backend, &held),
            known: held.known.clone(),
        };
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.fail(request).await
        });
        let answer = answer.await?;
        Ok(match self.ended(&held, answer)? {
            EngineFailed::RetryScheduled { due_at, attempt } => Failed::RetryScheduled(Retry {
                due_at: timestamp_ms(due_at),
                attempt_index: attempt,
            }),
            EngineFailed::Terminal => Failed::Terminal,
        })
    }

    async fn delay(
        &mut self,
        lease: Resource<LeaseHandle>,
        delay_ms: u64,
    ) -> Result<f64, LeaseCallError> {
        self.count_call(0)?;
        let held = self.held(&lease)?;
        self.delayed(&held, Due::InMs(delay_ms), delay_ms as f64)
            .await
    }

    async fn delay_until(
        &mut self,
        lease: Resource<LeaseHandle>,
        until: f64,
    ) -> Result<f64, LeaseCallError> {
        self.count_call(0)?;
        let held = self.held(&lease)?;
        let at = convert::time_of("delay_until", until)?;
        self.delayed(&held, Due::At(at), until).await
    }

    async fn wait_children(&mut self, lease: Resource<LeaseHandle>) -> Result<(), LeaseCallError> {
        self.count_call(0)?;
        let held = self.held(&lease)?;
        let Some(backend) = self.engine() else {
            return Ok(self.ended_locally(&held, "wait-children", &"until they finished")?);
        };
        let (fence, report) = (held.attempt.fence, self.report(&backend, &held));
        let answer = backend.call(&mut self.meter, 0, |engine| async move {
            let waited = engine
                .wait_children(fence, report, &WaitFor::default())
                .await;
            waited.map_err(|declined| declined.map(lease_refusal))
        });
        let answer = answer.await?;
        self.ended(&held, answer)
    }

    async fn cancel(
        &mut self,
        lease: Resource<LeaseHandle>,
        reason: String,
    ) -> Result<(), LeaseCallError> {
        let carries = reason.len();
        self.count_call(carries)?;
        let held = self.held(&lease)?;
        check_text("reason", &reason, Limits::REASON_BYTES_MAX)?;
        let Some(backend) = self.engine() else {
            return Ok(self.ended_locally(&held, "cancel", &reason)?);
        };
        let request = CancelHeld {
            fence: held.attempt.fence,
            reason,
            report: self.report(&backend, &held),
        };
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.cancel_held(request).await
        });
        let answer = answer.await?;
        self.ended(&held, answer)
    }
}

impl State {
    /// Ends a lease until its execution is due; `locally` is the answer without an engine.
    async fn delayed(
        &mut self,
        held: &HeldLease,
        due: Due,
        locally: f64,
    ) -> Result<f64, LeaseCallError> {
        let Some(backend) = self.engine() else {
            self.ended_locally(held, "delay", &due)?;
            return Ok(locally);
        };
        let request = Delay {
            fence: held.attempt.fence,
            due,
            report: self.report(&backend, held),
        };
        let answer = backend.call(&mut self.meter, 0, |engine| async move {
            engine.delay(request).await
        });
        let answer = answer.await?;
        Ok(timestamp_ms(self.ended(held, answer)?))
    }

    fn ended<T>(
        &self,
        held: &HeldLease,
        answer: Result<T, Declined<LeaseRefusal>>,
    ) -> Result<T, LeaseCallError> {
        let of = |refusal| self.not_ended(held, refusal);
        let value = answer.map_err(|declined| CallError::declined(declined, of))?;
        self.recorded(held);
        Ok(value)
    }

    /// Checks a payload that is recorded as a result or as the state of a suspension.
    pub(super) fn check_result_bytes(
        &self,
        field: &'static str,
        payload: &Payload,
    ) -> Result<(), Invalid> {
        check_payload(field, payload, self.instance_limits.result_bytes_max)
    }

    /// Notes that the end of the lease is recorded.
    pub(super) fn recorded(&self, held: &HeldLease) {
        held.attempt.record();
        if let Role::Service(service) = &self.role {
            service.recorded(held);
        }
    }

    /// Notes that the lease could not be ended; most refusals mean that it is gone.
    pub(super) fn not_ended(&self, held: &HeldLease, refusal: LeaseRefusal) -> LeaseError {
        let is_final = !matches!(refusal, LeaseRefusal::Invalid(_));
        let error = refused(held, refusal);
        if let Role::Service(service) = &self.role
            && is_final
        {
            service.lost(held);
        }
        error
    }

    /// Ends an attempt that no engine knows of; only the first end counts.
    pub(super) fn ended_locally(
        &self,
        held: &HeldLease,
        verb: &'static str,
        what: &dyn std::fmt::Debug,
    ) -> Result<(), LeaseError> {
        if held.attempt.is_recorded() {
            return Err(LeaseError::ExecutionNotActive);
        }
        held.attempt.record();
        let mut line = format!("{what:?}");
        line.truncate(line.floor_char_boundary(200));
        self.role.log(verb, line.as_bytes());
        Ok(())
    }
}

/// What keeps a lease from waiting for children, as a refusal of a lease.
fn lease_refusal(refusal: FlowRefusal) -> LeaseRefusal {
    match refusal {
        FlowRefusal::Lease(refusal) => refusal,
        FlowRefusal::Invalid(invalid) => invalid.into(),
        other => Invalid::new("children", other.to_string()).into(),
    }
}
