//! What stands behind the interfaces: the engine, or nothing but this process.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use engine::{Engine, Report};
use model::LeaseRefusal;
use tokio::runtime::Handle;

use super::bindings::flowhost::engine::claim::LeaseError;
use super::role::Caller;
use super::{HeldLease, InvokeSuspension, State};
use crate::memory::Meter;

/// What the guest's calls reach.
#[derive(Debug, Clone)]
pub enum Backend {
    /// The engine.
    Engine(EngineBackend),
    /// Nothing: a handler run by itself. Calls about its own lease succeed,
    /// calls about other executions are answered `unavailable`. What it waits for,
    /// if it suspends, is put here; see `host/local.rs`.
    Local(Arc<OnceLock<InvokeSuspension>>),
}

/// The engine as one sandbox reaches it.
#[derive(Debug, Clone)]
pub struct EngineBackend {
    /// The engine.
    pub engine: Engine,
    /// The runtime its calls are made on.
    pub main: Handle,
    /// The component that runs, for the record.
    pub component_id: Option<i32>,
    /// Life of a lease after a renewal.
    pub lease_ttl_ms: u32,
    /// What the addresses of callbacks begin with.
    pub callback_prefix: Arc<str>,
}

/// A call the host itself failed to carry out.
#[derive(Debug, thiserror::Error)]
#[error("the host failed while it served a call of the guest: {0}")]
pub(crate) struct HostFault(#[from] tokio::task::JoinError);

impl EngineBackend {
    /// Runs a call on the main runtime. `carries` are the bytes the call brings;
    /// the sandbox is charged for them until the answer is there.
    pub(super) async fn on_main<T: Send + 'static>(
        &self,
        meter: &mut Meter,
        carries: usize,
        call: impl Future<Output = T> + Send + 'static,
    ) -> wasmtime::Result<T> {
        meter.charge_host_bytes(carries)?;
        let answer = self.main.spawn(call).await;
        meter.release(carries as u64);
        Ok(answer.map_err(HostFault)?)
    }
}

/// Why a guest reaches no other execution.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallerError {
    /// There is none.
    #[error("no engine: this is `flowhost invoke`")]
    NoEngine,
    /// It acts as nobody.
    #[error("{0}")]
    NoIdentity(&'static str),
}

impl State {
    /// Returns the engine and whom the guest acts as towards other executions.
    pub(super) fn engine_and_caller(&self) -> Result<(EngineBackend, Caller), CallerError> {
        let Backend::Engine(backend) = &self.backend else {
            return Err(CallerError::NoEngine);
        };
        let caller = self.role.caller().map_err(CallerError::NoIdentity)?;
        Ok((backend.clone(), caller))
    }

    /// Returns what is recorded along with an outcome.
    pub(super) fn report(&self, backend: &EngineBackend, held: &HeldLease) -> Report {
        Report {
            component_id: backend.component_id,
            usage: Some(held.usage(&self.used())),
            log: held.log_snapshot(),
        }
    }
}

/// Turns a refusal into the guest's words, and has the guest stop if the lease
/// is gone.
pub(super) fn refused(held: &HeldLease, refusal: LeaseRefusal) -> LeaseError {
    // A guest that ended its own attempt is not cut off for it.
    if !held.attempt.is_recorded() {
        held.attempt.refused(&refusal);
    }
    match refusal {
        LeaseRefusal::Invalid(invalid) => LeaseError::Invalid(invalid.to_string()),
        LeaseRefusal::LeaseRevoked => LeaseError::LeaseRevoked,
        LeaseRefusal::LeaseExpired => LeaseError::LeaseExpired,
        LeaseRefusal::StaleLease => LeaseError::StaleLease,
        _ => LeaseError::ExecutionNotActive,
    }
}

/// Turns a fault of the engine into the guest's words.
pub(super) fn unavailable(error: &engine::Error) -> String {
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
