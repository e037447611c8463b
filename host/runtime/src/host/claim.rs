//! The interface `claim`: the lease the sandbox was opened for, or those its
//! guest takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Invalid, Limits};
use wasmtime::component::Resource;

use super::bindings::flowhost::engine::claim::{ClaimError, Host, HostLease, LeaseError};
use super::bindings::flowhost::engine::types::Task;
use super::convert::{check_text, task_bytes, text_bytes};
use super::store::{HostResource, refused};
use super::{CallError, ClaimCallError, HeldLease, LeaseCallError, NextRefusal, Role, State};
use crate::attempt::to_foreground;

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

/// A service asked for a lease that only a handler has.
#[derive(Debug, thiserror::Error)]
#[error(
    "`current` was called in the world `service`, which has no current lease: take one with `next`"
)]
pub(crate) struct NoCurrentLease;

impl Host for State {
    fn convert_claim_error(&mut self, error: ClaimCallError) -> wasmtime::Result<ClaimError> {
        error.refused()
    }

    fn convert_lease_error(&mut self, error: LeaseCallError) -> wasmtime::Result<LeaseError> {
        error.refused()
    }

    fn current(&mut self) -> wasmtime::Result<Resource<LeaseHandle>> {
        self.count_call(0)?;
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
    ) -> Result<Option<Resource<LeaseHandle>>, ClaimCallError> {
        self.count_call(0)?;
        let (Role::Service(service), Some(backend)) = (&self.role, self.engine()) else {
            return Err(
                Invalid::new("next", "a handler claims nothing: its lease is `current`").into(),
            );
        };
        if max_wait_ms > WAIT_MS_MAX {
            return Err(Invalid::new("max_wait_ms", format!("at most {WAIT_MS_MAX}")).into());
        }
        let wait_max = Duration::from_millis(u64::from(max_wait_ms));
        let next = service.clone().next(wait_max);
        let held = match backend.call(&mut self.meter, 0, |_engine| next).await? {
            Ok(Some(held)) => held,
            Ok(None) => return Ok(None),
            Err(NextRefusal::Draining) => return Err(ClaimError::Draining.into()),
            Err(NextRefusal::TooManyLeases(max)) => {
                return Err(ClaimError::TooManyLeases(max).into());
            }
            Err(NextRefusal::Unavailable(error)) => return Err(error.into()),
        };
        // From here on the guest is charged for what it does with the lease.
        held.used_before.get_or_init(|| self.used());
        to_foreground().await;
        Ok(Some(self.push(LeaseHandle { held, owns: true })?))
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
        self.count_call(0)?;
        let held = self.held(&lease)?;
        self.charge_answer(task_bytes(&held.task))?;
        Ok(Task::clone(&held.task))
    }

    fn epoch(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<u64> {
        self.count_call(0)?;
        Ok(self.held(&lease)?.attempt.fence.epoch)
    }

    fn remaining_ms(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<u64> {
        self.count_call(0)?;
        let held = self.held(&lease)?;
        Ok(held.attempt.remaining_ms(held.has_timeout))
    }

    fn is_cancelled(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<bool> {
        self.count_call(0)?;
        Ok(self.held(&lease)?.attempt.is_stopping())
    }

    async fn renew(&mut self, lease: Resource<LeaseHandle>) -> Result<u64, LeaseCallError> {
        self.count_call(0)?;
        let held = self.held(&lease)?;
        let attempt = &held.attempt;
        if let Some(backend) = self.engine() {
            let (fence, ttl_ms) = (attempt.fence, backend.lease_ttl_ms);
            let sent = Instant::now();
            let answers = backend.call(&mut self.meter, 0, |engine| async move {
                engine.renew(&[fence], ttl_ms).await
            });
            let answer = answers.await??.into_iter().next();
            let no_answer = || LeaseError::Unavailable("the engine gave no answer".into());
            answer
                .ok_or_else(no_answer)?
                .map_err(|refusal| refused(&held, refusal))?;
            attempt.renewed(sent, Duration::from_millis(u64::from(ttl_ms)));
        }
        Ok(attempt.remaining_ms(false))
    }

    async fn progress(
        &mut self,
        lease: Resource<LeaseHandle>,
        percent: Option<u8>,
        message: Option<String>,
    ) -> Result<(), LeaseCallError> {
        let carries = text_bytes(message.as_ref());
        self.count_call(carries)?;
        let held = self.held(&lease)?;
        if percent.is_some_and(|percent| percent > 100) {
            return Err(Invalid::new("percent", "at most 100").into());
        }
        let text = message.as_deref().unwrap_or_default();
        check_text("message", text, Limits::REASON_BYTES_MAX)?;
        let Some(backend) = self.engine() else {
            let line = percent.map_or(text.to_owned(), |percent| format!("{percent}% {text}"));
            self.role.log("progress", line.as_bytes());
            return Ok(());
        };
        let fence = held.attempt.fence;
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.progress(fence, percent, message).await
        });
        let of = |refusal| refused(&held, refusal);
        let answer = answer.await?;
        answer.map_err(|declined| CallError::declined(declined, of))
    }

    fn drop(&mut self, lease: Resource<LeaseHandle>) -> wasmtime::Result<()> {
        let LeaseHandle { held, .. } = self.delete(lease)?;
        if let Role::Service(service) = &self.role {
            service.clone().dropped(&held, self.used());
        }
        Ok(())
    }
}
