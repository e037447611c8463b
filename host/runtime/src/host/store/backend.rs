//! What the interfaces call: the engine, or nothing but this process.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use engine::{Engine, Report};
use model::LeaseRefusal;
use tokio::runtime::Handle;

use super::role::{Caller, CallerError};
use super::{HeldLease, InvokeSuspension, State};
use crate::host::bindings::flowhost::engine::claim::LeaseError;
use crate::host::convert::said;
use crate::memory::Meter;

/// What the guest's calls reach.
#[derive(Debug, Clone)]
pub enum Backend {
    /// The engine of this host.
    Engine(EngineBackend),
    /// No engine: a handler run by `flowhost invoke`. Calls about its own lease succeed,
    /// calls about other executions are answered `unavailable`. A suspension is noted
    /// here; see `host/local.rs`.
    Local(Arc<OnceLock<InvokeSuspension>>),
}

/// The engine, as the guest of one sandbox calls it.
#[derive(Debug, Clone)]
pub struct EngineBackend {
    /// The engine of this host.
    pub engine: Engine,
    /// The runtime its calls are made on.
    pub main: Handle,
    /// The component that runs, as attempts record it; absent if that is unknown.
    pub component_id: Option<i32>,
    /// TTL of a lease after a renewal, in milliseconds.
    pub lease_ttl_ms: u32,
    /// Beginning of every callback URL; the token follows.
    pub callback_prefix: Arc<str>,
}

/// A call the host itself failed to carry out.
#[derive(Debug, thiserror::Error)]
#[error("the host failed while it served a call of the guest: {0}")]
pub(crate) struct HostFault(#[from] tokio::task::JoinError);

impl EngineBackend {
    /// Calls the engine on the main runtime. `carries` are the bytes the call brings;
    /// the sandbox is charged for them until the answer is there.
    pub(in crate::host) async fn call<T, F>(
        &self,
        meter: &mut Meter,
        carries: usize,
        call: impl FnOnce(Engine) -> F,
    ) -> wasmtime::Result<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        meter.charge_host_bytes(carries)?;
        let answer = self.main.spawn(call(self.engine.clone())).await;
        meter.release(carries as u64);
        Ok(answer.map_err(HostFault)?)
    }
}

impl State {
    /// Returns the engine, if there is one.
    pub(in crate::host) fn engine(&self) -> Option<EngineBackend> {
        match &self.backend {
            Backend::Engine(backend) => Some(backend.clone()),
            Backend::Local(_) => None,
        }
    }

    /// Returns the engine and whom the guest acts as towards other executions.
    pub(in crate::host) fn engine_and_caller(
        &self,
    ) -> Result<(EngineBackend, Caller), CallerError> {
        let backend = self.engine().ok_or(CallerError::NoEngine)?;
        Ok((backend, self.role.caller()?))
    }

    /// Returns what is recorded along with an outcome.
    pub(in crate::host) fn report(&self, backend: &EngineBackend, held: &HeldLease) -> Report {
        Report {
            component_id: backend.component_id,
            usage: Some(held.usage(&self.used())),
            log: held.log_snapshot(),
        }
    }
}

/// Converts a refusal for the guest, and has the guest stop if the lease is gone.
pub(in crate::host) fn refused(held: &HeldLease, refusal: LeaseRefusal) -> LeaseError {
    // A guest that ended its own attempt is not cut off for it.
    if !held.attempt.is_recorded() {
        held.attempt.refused(&refusal);
    }
    match refusal {
        LeaseRefusal::Invalid(invalid) => LeaseError::Invalid(said(&invalid)),
        LeaseRefusal::LeaseRevoked => LeaseError::LeaseRevoked,
        LeaseRefusal::LeaseExpired => LeaseError::LeaseExpired,
        LeaseRefusal::StaleLease => LeaseError::StaleLease,
        _ => LeaseError::ExecutionNotActive,
    }
}

/// Describes a fault of the engine to a guest.
pub(in crate::host) fn unavailable(error: &engine::Error) -> String {
    if error.is_unavailable() {
        "the database did not answer in time; ask again".to_owned()
    } else if let engine::Error::Secrets(fault) = error {
        tracing::error!(%fault, "a call of a guest failed");
        "this host cannot make or read waitpoint tokens; its log says what to set".to_owned()
    } else {
        // Details of the database are the operator's business.
        tracing::error!(%error, "a call of a guest failed");
        "the engine failed; the operator's log says why".to_owned()
    }
}
