//! The interface `complete`: the guest ends its attempt itself.
//!
//! A recorded end frees the sandbox from its lease: in a handler what follows is
//! tidying up and is bounded by the attempt's time limit alone, in a service the
//! next lease.

use engine::{CancelHeld, Complete, Delay, Fail, Failed as EngineFailed};
use model::LeaseRefusal;
use wasmtime::component::Resource;

use super::backend::{refused, unavailable};
use super::bindings::flowhost::engine::claim::LeaseError;
use super::bindings::flowhost::engine::complete::{Failed, Host};
use super::bindings::flowhost::engine::types::{Failure, Payload};
use super::convert::{outcome, payload, payload_bytes, timestamp_ms};
use super::{Backend, HeldLease, LeaseHandle, Role, State};
use crate::attempt::LogSource;

impl Host for State {
    async fn complete(
        &mut self,
        lease: Resource<LeaseHandle>,
        result: Payload,
    ) -> wasmtime::Result<Result<(), LeaseError>> {
        let carries = payload_bytes(&result);
        self.called(carries)?;
        let held = self.held(&lease)?;
        let max = self.instance_limits.result_bytes_max;
        if result.data.len() > max as usize {
            let detail = format!("result: {} bytes, at most {max}", result.data.len());
            return Ok(Err(LeaseError::Invalid(detail)));
        }
        let Backend::Engine(backend) = &self.backend else {
            return Ok(self.ended_locally(&held, "complete", &payload(result)));
        };
        let request = Complete {
            fence: held.attempt.fence,
            result: payload(result),
            report: self.report(backend, &held),
        };
        let engine = backend.engine.clone();
        let answer = backend
            .on_main(&mut self.meter, carries, async move {
                engine.complete(request).await
            })
            .await?;
        Ok(self.ended(&held, answer))
    }

    async fn fail(
        &mut self,
        lease: Resource<LeaseHandle>,
        failure: Failure,
    ) -> wasmtime::Result<Result<Failed, LeaseError>> {
        self.called(failure.code.len() + failure.message.len())?;
        let held = self.held(&lease)?;
        // One that is returned must be recorded somehow; this one can be said otherwise.
        if model::is_reserved_code(&failure.code)
            && let Err(invalid) = model::failure_code(&failure.code)
        {
            return Ok(Err(LeaseError::Invalid(invalid.to_string())));
        }
        let failure = outcome::failure(failure);
        let carries = failure.message.len();
        let Backend::Engine(backend) = &self.backend else {
            return Ok(self
                .ended_locally(&held, "fail", &failure)
                .map(|()| Failed::Terminal));
        };
        let request = Fail {
            fence: held.attempt.fence,
            failure,
            timed_out: false,
            report: self.report(backend, &held),
            known: held.known.clone(),
        };
        let engine = backend.engine.clone();
        let answer = backend
            .on_main(&mut self.meter, carries, async move {
                engine.fail(request).await
            })
            .await?;
        Ok(self.ended(&held, answer).map(|failed| match failed {
            EngineFailed::RetryScheduled { due_at, .. } => {
                Failed::RetryScheduled(timestamp_ms(due_at))
            }
            EngineFailed::Terminal => Failed::Terminal,
        }))
    }

    async fn delay(
        &mut self,
        lease: Resource<LeaseHandle>,
        delay_ms: u32,
    ) -> wasmtime::Result<Result<f64, LeaseError>> {
        self.called(0)?;
        let held = self.held(&lease)?;
        let Backend::Engine(backend) = &self.backend else {
            return Ok(self
                .ended_locally(&held, "delay", &delay_ms)
                .map(|()| f64::from(delay_ms)));
        };
        let request = Delay {
            fence: held.attempt.fence,
            delay_ms: u64::from(delay_ms),
            report: self.report(backend, &held),
        };
        let engine = backend.engine.clone();
        let answer = backend
            .on_main(
                &mut self.meter,
                0,
                async move { engine.delay(request).await },
            )
            .await?;
        Ok(self.ended(&held, answer).map(timestamp_ms))
    }

    async fn wait_children(
        &mut self,
        lease: Resource<LeaseHandle>,
    ) -> wasmtime::Result<Result<(), LeaseError>> {
        self.called(0)?;
        let held = self.held(&lease)?;
        let Backend::Engine(backend) = &self.backend else {
            return Ok(self.ended_locally(&held, "wait-children", &"until they finished"));
        };
        let (fence, report) = (held.attempt.fence, self.report(backend, &held));
        let engine = backend.engine.clone();
        let answer = backend
            .on_main(&mut self.meter, 0, async move {
                engine.wait_children(fence, report).await
            })
            .await?;
        Ok(self.ended(&held, answer))
    }

    async fn cancel(
        &mut self,
        lease: Resource<LeaseHandle>,
        reason: String,
    ) -> wasmtime::Result<Result<(), LeaseError>> {
        let carries = reason.len();
        self.called(carries)?;
        let held = self.held(&lease)?;
        let max = model::Limits::REASON_BYTES_MAX;
        if reason.len() > max {
            return Ok(Err(LeaseError::Invalid(format!(
                "reason: at most {max} bytes"
            ))));
        }
        let Backend::Engine(backend) = &self.backend else {
            return Ok(self.ended_locally(&held, "cancel", &reason));
        };
        let request = CancelHeld {
            fence: held.attempt.fence,
            reason,
            report: self.report(backend, &held),
        };
        let engine = backend.engine.clone();
        let answer = backend
            .on_main(&mut self.meter, carries, async move {
                engine.cancel_held(request).await
            })
            .await?;
        Ok(self.ended(&held, answer))
    }
}

impl State {
    fn ended<T>(
        &self,
        held: &HeldLease,
        answer: Result<Result<T, LeaseRefusal>, engine::Error>,
    ) -> Result<T, LeaseError> {
        match answer {
            Ok(Ok(value)) => {
                self.recorded(held);
                Ok(value)
            }
            Ok(Err(refusal)) => Err(self.not_ended(held, refusal)),
            Err(error) => Err(LeaseError::Unavailable(unavailable(&error))),
        }
    }

    /// The end of the lease is recorded.
    pub(super) fn recorded(&self, held: &HeldLease) {
        held.attempt.record();
        if let Role::Service(service) = &self.role {
            service.recorded(held);
        }
    }

    /// The lease could not be ended; most refusals mean that it is gone.
    pub(super) fn not_ended(&self, held: &HeldLease, refusal: LeaseRefusal) -> LeaseError {
        let is_final = !matches!(refusal, LeaseRefusal::Invalid(_));
        let told = refused(held, refusal);
        if let Role::Service(service) = &self.role
            && is_final
        {
            service.lost(held);
        }
        told
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
        self.role.with_log(|log, at_ms| {
            let source = LogSource::Level(verb);
            log.record(at_ms, source, line.as_bytes());
        });
        Ok(())
    }
}
