//! The interface `complete`: the guest ends its attempt itself.
//!
//! A recorded end frees the sandbox from its lease: what follows is tidying up
//! and is bounded by the attempt's time limit alone.

use engine::{CancelHeld, Complete, Delay, Fail, Failed as EngineFailed};
use model::LeaseRefusal;
use time::OffsetDateTime;
use wasmtime::component::Resource;

use super::side::unavailable;
use super::{HostSide, LeaseHandle, State};
use crate::bindings::flowhost::engine::claim::LeaseError;
use crate::bindings::flowhost::engine::complete::{Failed, Host};
use crate::bindings::flowhost::engine::types::{Failure, Payload};

/// Milliseconds since 1970 as guests count them.
pub(super) fn timestamp_ms(at: OffsetDateTime) -> f64 {
    // Whole milliseconds stay below 2^53 for the next 285 000 years.
    (at.unix_timestamp_nanos() / 1_000_000) as f64
}

impl Host for State {
    async fn complete(
        &mut self,
        _lease: Resource<LeaseHandle>,
        result: Payload,
    ) -> wasmtime::Result<Result<(), LeaseError>> {
        self.called(result.data.len())?;
        let max = self.result_bytes_max;
        if result.data.len() > max as usize {
            let detail = format!("result: {} bytes, at most {max}", result.data.len());
            return Ok(Err(LeaseError::Invalid(detail)));
        }
        let HostSide::Engine(side) = &self.side else {
            return Ok(self.ended_locally("complete", &crate::task::payload(result)));
        };
        let request = Complete {
            fence: self.attempt.fence,
            result: crate::task::payload(result),
            report: self.report(side),
        };
        let engine = side.engine.clone();
        let answer = side
            .on_main(async move { engine.complete(request).await })
            .await?;
        Ok(self.ended(answer))
    }

    async fn fail(
        &mut self,
        _lease: Resource<LeaseHandle>,
        failure: Failure,
    ) -> wasmtime::Result<Result<Failed, LeaseError>> {
        self.called(failure.message.len())?;
        let failure = crate::task::failure(failure);
        let HostSide::Engine(side) = &self.side else {
            return Ok(self
                .ended_locally("fail", &failure)
                .map(|()| Failed::Terminal));
        };
        let request = Fail {
            fence: self.attempt.fence,
            failure,
            report: self.report(side),
            known: side.known.clone(),
        };
        let engine = side.engine.clone();
        let answer = side
            .on_main(async move { engine.fail(request).await })
            .await?;
        Ok(self.ended(answer).map(|failed| match failed {
            EngineFailed::RetryScheduled { due_at } => Failed::RetryScheduled(timestamp_ms(due_at)),
            EngineFailed::Terminal => Failed::Terminal,
        }))
    }

    async fn delay(
        &mut self,
        _lease: Resource<LeaseHandle>,
        delay_ms: u32,
    ) -> wasmtime::Result<Result<f64, LeaseError>> {
        self.called(0)?;
        let HostSide::Engine(side) = &self.side else {
            return Ok(self
                .ended_locally("delay", &delay_ms)
                .map(|()| f64::from(delay_ms)));
        };
        let request = Delay {
            fence: self.attempt.fence,
            delay_ms: u64::from(delay_ms),
            report: self.report(side),
        };
        let engine = side.engine.clone();
        let answer = side
            .on_main(async move { engine.delay(request).await })
            .await?;
        Ok(self.ended(answer).map(timestamp_ms))
    }

    async fn wait_children(
        &mut self,
        _lease: Resource<LeaseHandle>,
    ) -> wasmtime::Result<Result<(), LeaseError>> {
        self.called(0)?;
        let HostSide::Engine(side) = &self.side else {
            return Ok(self.ended_locally("wait-children", &"until its children finished"));
        };
        let (fence, report) = (self.attempt.fence, self.report(side));
        let engine = side.engine.clone();
        let answer = side
            .on_main(async move { engine.wait_children(fence, report).await })
            .await?;
        Ok(self.ended(answer))
    }

    async fn cancel(
        &mut self,
        _lease: Resource<LeaseHandle>,
        reason: String,
    ) -> wasmtime::Result<Result<(), LeaseError>> {
        self.called(reason.len())?;
        let max = model::Limits::REASON_BYTES_MAX;
        if reason.len() > max {
            return Ok(Err(LeaseError::Invalid(format!(
                "reason: at most {max} bytes"
            ))));
        }
        let HostSide::Engine(side) = &self.side else {
            return Ok(self.ended_locally("cancel", &reason));
        };
        let request = CancelHeld {
            fence: self.attempt.fence,
            reason,
            report: self.report(side),
        };
        let engine = side.engine.clone();
        let answer = side
            .on_main(async move { engine.cancel_held(request).await })
            .await?;
        Ok(self.ended(answer))
    }
}

impl State {
    fn ended<T>(
        &self,
        answer: Result<Result<T, LeaseRefusal>, engine::Error>,
    ) -> Result<T, LeaseError> {
        match answer {
            Ok(Ok(value)) => {
                self.attempt.record();
                Ok(value)
            }
            Ok(Err(refusal)) => Err(self.refused(refusal)),
            Err(error) => Err(LeaseError::Unavailable(unavailable(&error))),
        }
    }

    /// Ends an attempt that no engine knows of; only the first end counts.
    fn ended_locally(
        &self,
        verb: &'static str,
        what: &dyn std::fmt::Debug,
    ) -> Result<(), LeaseError> {
        if self.attempt.is_recorded() {
            return Err(LeaseError::ExecutionNotActive);
        }
        self.attempt.record();
        let mut line = format!("{what:?}");
        line.truncate(line.floor_char_boundary(200));
        self.lock_log(|log, at_ms| {
            let source = crate::attempt_log::Source::Level(verb);
            log.record(at_ms, source, line.as_bytes());
        });
        Ok(())
    }
}
