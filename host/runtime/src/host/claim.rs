//! The interface `claim`: the lease the sandbox was opened for, or those its
//! guest takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Resource;

use super::backend::{refused, unavailable};
use super::bindings::flowhost::engine::claim::{ClaimError, Host, HostLease, LeaseError};
use super::bindings::flowhost::engine::types::Task;
use super::convert::{task_bytes, text_bytes};
use super::handles::HostResource;
use super::{Backend, HeldLease, NextRefusal, Role, State};
use crate::attempt::LogSource;

/// Longest a guest may wait for work in one call, in milliseconds.
const WAIT_MS_MAX: u32 = 60_000;

/// A handle on a lease. In a handler every one means the lease of the sandbox;
/// in a service each lease has one.
pub struct LeaseHandle {
    held: Arc<HeldLease>,
    /// Whether the lease is kept for this handle: in a handler the sandbox itself
    /// is charged for it, once.
    owns: bool,
}

impl HostResource for LeaseHandle {
    fn owned_bytes(&self) -> usize {
        if self.owns { self.held.kept_bytes() } else { 0 }
    }
}

/// A worker asked for a lease that only a handler has.
#[derive(Debug, thiserror::Error)]
#[error(
    "`current` was called in the world `worker`, which has no current lease: take one with `next`"
)]
pub(crate) struct NoCurrentLease;

impl Host for State {
    fn current(&mut self) -> wasmtime::Result<Resource<LeaseHandle>> {
        self.called(0)?;
        match &self.role {
            Role::Handler(held) => self.push(LeaseHandle {
                held: held.clone(),
                owns: false,
            }),
            Role::Service(_) => Err(NoCurrentLease.into()),
        }
    }

    async fn next(
        &mut self,
        max_wait_ms: u32,
    ) -> wasmtime::Result<Result<Option<Resource<LeaseHandle>>, ClaimError>> {
        self.called(0)?;
        let (Role::Service(service), Backend::Engine(backend)) = (&self.role, &self.backend) else {
            return Ok(Err(ClaimError::Invalid(
                "a handler claims nothing: its lease is `current`".into(),
            )));
        };
        if max_wait_ms > WAIT_MS_MAX {
            return Ok(Err(ClaimError::Invalid(format!(
                "max-wait-ms: at most {WAIT_MS_MAX}"
            ))));
        }
        let wait = Duration::from_millis(u64::from(max_wait_ms));
        let next = service.clone().next(wait);
        let held = match backend.on_main(&mut self.meter, 0, next).await? {
            Ok(Some(held)) => held,
            Ok(None) => return Ok(Ok(None)),
            Err(NextRefusal::Draining) => return Ok(Err(ClaimError::Draining)),
            Err(NextRefusal::TooManyLeases(max)) => return Ok(Err(ClaimError::TooManyLeases(max))),
            Err(NextRefusal::Unavailable(error)) => {
                return Ok(Err(ClaimError::Unavailable(unavailable(&error))));
            }
        };
        // From here on the guest answers for it.
        held.used_before.get_or_init(|| self.used());
        let handle = LeaseHandle { held, owns: true };
        Ok(Ok(Some(self.push(handle)?)))
    }
}

impl State {
    /// Returns the lease a handle means.
    pub(super) fn held(&self, lease: &Resource<LeaseHandle>) -> wasmtime::Result<Arc<HeldLease>> {
        Ok(self.get(lease)?.held.clone())
    }
}

impl HostLease for State {
    fn task(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<Task> {
        self.called(0)?;
        let held = self.held(&lease)?;
        self.answered(task_bytes(&held.task))?;
        Ok(Task::clone(&held.task))
    }

    fn epoch(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<u32> {
        self.called(0)?;
        Ok(u32::try_from(self.held(&lease)?.attempt.fence.epoch).unwrap_or(u32::MAX))
    }

    fn remaining_ms(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<u32> {
        self.called(0)?;
        let held = self.held(&lease)?;
        Ok(held.attempt.remaining_ms(held.has_timeout))
    }

    fn is_cancelled(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<bool> {
        self.called(0)?;
        Ok(self.held(&lease)?.attempt.is_stopping())
    }

    async fn renew(
        &mut self,
        lease: Resource<LeaseHandle>,
    ) -> wasmtime::Result<Result<u32, LeaseError>> {
        self.called(0)?;
        let held = self.held(&lease)?;
        let attempt = &held.attempt;
        let Backend::Engine(backend) = &self.backend else {
            return Ok(Ok(attempt.remaining_ms(false)));
        };
        let (engine, fence, ttl_ms) = (backend.engine.clone(), attempt.fence, backend.lease_ttl_ms);
        let sent = Instant::now();
        let answer = backend
            .on_main(&mut self.meter, 0, async move {
                engine.renew(&[fence], ttl_ms).await
            })
            .await?;
        Ok(match answer.map(|verdicts| verdicts.into_iter().next()) {
            Ok(Some(Ok(_expires_at))) => {
                let ttl = Duration::from_millis(u64::from(ttl_ms));
                attempt.renewed(sent, ttl);
                Ok(attempt.remaining_ms(false))
            }
            Ok(Some(Err(refusal))) => Err(refused(&held, refusal)),
            Ok(None) => Err(LeaseError::Unavailable("the engine gave no answer".into())),
            Err(error) => Err(LeaseError::Unavailable(unavailable(&error))),
        })
    }

    async fn progress(
        &mut self,
        lease: Resource<LeaseHandle>,
        percent: Option<u8>,
        message: Option<String>,
    ) -> wasmtime::Result<Result<(), LeaseError>> {
        self.called(message.as_ref().map_or(0, String::len))?;
        let held = self.held(&lease)?;
        if percent.is_some_and(|percent| percent > 100) {
            return Ok(Err(LeaseError::Invalid("percent: at most 100".into())));
        }
        let max = model::Limits::REASON_BYTES_MAX;
        if message.as_ref().is_some_and(|text| text.len() > max) {
            return Ok(Err(LeaseError::Invalid(format!(
                "message: at most {max} bytes"
            ))));
        }
        let Backend::Engine(backend) = &self.backend else {
            let shown = message.unwrap_or_default();
            let shown = percent.map_or(shown.clone(), |percent| format!("{percent}% {shown}"));
            self.role.with_log(|log, at_ms| {
                let source = LogSource::Level("progress");
                log.record(at_ms, source, shown.as_bytes());
            });
            return Ok(Ok(()));
        };
        let (engine, fence) = (backend.engine.clone(), held.attempt.fence);
        let carries = text_bytes(message.as_ref());
        let answer = backend
            .on_main(&mut self.meter, carries, async move {
                engine.progress(fence, percent, message).await
            })
            .await?;
        Ok(match answer {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => Err(refused(&held, refusal)),
            Err(error) => Err(LeaseError::Unavailable(unavailable(&error))),
        })
    }

    fn drop(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<()> {
        let LeaseHandle { held, .. } = self.delete(lease)?;
        if let Role::Service(service) = &self.role {
            service.clone().dropped(&held, self.used());
        }
        Ok(())
    }
}
