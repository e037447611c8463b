//! The interface `claim`: the lease the sandbox was opened for.

use std::time::{Duration, Instant};

use wasmtime::component::Resource;

use super::side::unavailable;
use super::{HostSide, State};
use crate::bindings::flowhost::engine::claim::{Host, HostLease, LeaseError};
use crate::bindings::flowhost::engine::types::Task;

/// A handle on the lease; every one means the lease of the sandbox.
pub struct LeaseHandle;

impl Host for State {
    fn current(&mut self) -> wasmtime::Result<Resource<LeaseHandle>> {
        self.called(0)?;
        self.push(LeaseHandle)
    }
}

impl HostLease for State {
    fn task(&mut self, _lease: Resource<LeaseHandle>) -> wasmtime::Result<Task> {
        self.called(0)?;
        Ok(Task::clone(&self.task))
    }

    fn epoch(&mut self, _lease: Resource<LeaseHandle>) -> wasmtime::Result<u32> {
        self.called(0)?;
        Ok(u32::try_from(self.attempt.fence.epoch).unwrap_or(u32::MAX))
    }

    fn remaining_ms(&mut self, _lease: Resource<LeaseHandle>) -> wasmtime::Result<u32> {
        self.called(0)?;
        Ok(self.attempt.remaining_ms(self.attempt_limited))
    }

    fn is_cancelled(&mut self, _lease: Resource<LeaseHandle>) -> wasmtime::Result<bool> {
        self.called(0)?;
        Ok(self.attempt.is_stopping())
    }

    async fn renew(
        &mut self,
        _lease: Resource<LeaseHandle>,
    ) -> wasmtime::Result<Result<u32, LeaseError>> {
        self.called(0)?;
        let HostSide::Engine(side) = &self.side else {
            return Ok(Ok(self.attempt.remaining_ms(false)));
        };
        let (engine, fence, ttl_ms) = (side.engine.clone(), self.attempt.fence, side.lease_ttl_ms);
        let sent = Instant::now();
        let answer = side
            .on_main(async move { engine.renew(&[fence], ttl_ms).await })
            .await?;
        Ok(match answer.map(|verdicts| verdicts.into_iter().next()) {
            Ok(Some(Ok(_expires_at))) => {
                let ttl = Duration::from_millis(u64::from(ttl_ms));
                self.attempt.renewed(sent, crate::keeper::usable(ttl));
                Ok(self.attempt.remaining_ms(false))
            }
            Ok(Some(Err(refusal))) => Err(self.refused(refusal)),
            Ok(None) => Err(LeaseError::Unavailable("the engine gave no answer".into())),
            Err(error) => Err(LeaseError::Unavailable(unavailable(&error))),
        })
    }

    async fn progress(
        &mut self,
        _lease: Resource<LeaseHandle>,
        percent: Option<u8>,
        message: Option<String>,
    ) -> wasmtime::Result<Result<(), LeaseError>> {
        self.called(message.as_ref().map_or(0, String::len))?;
        if percent.is_some_and(|percent| percent > 100) {
            return Ok(Err(LeaseError::Invalid("percent: at most 100".into())));
        }
        let max = model::Limits::REASON_BYTES_MAX;
        if message.as_ref().is_some_and(|text| text.len() > max) {
            return Ok(Err(LeaseError::Invalid(format!(
                "message: at most {max} bytes"
            ))));
        }
        let HostSide::Engine(side) = &self.side else {
            let shown = message.unwrap_or_default();
            let shown = percent.map_or(shown.clone(), |percent| format!("{percent}% {shown}"));
            self.lock_log(|log, at_ms| {
                let source = crate::attempt_log::Source::Level("progress");
                log.record(at_ms, source, shown.as_bytes());
            });
            return Ok(Ok(()));
        };
        let (engine, fence) = (side.engine.clone(), self.attempt.fence);
        let answer = side
            .on_main(async move { engine.progress(fence, percent, message).await })
            .await?;
        Ok(match answer {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => Err(self.refused(refusal)),
            Err(error) => Err(LeaseError::Unavailable(unavailable(&error))),
        })
    }

    fn drop(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<()> {
        self.table.delete(lease)?;
        Ok(())
    }
}
