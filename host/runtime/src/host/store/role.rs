//! The role of the guest of a store: a handler with its one lease, or a service with
//! those it takes. Whom it acts as follows from this alone.

use std::sync::Arc;

use model::KnownSource;

use super::{HeldLease, ServiceHost};
use crate::attempt::{AttemptLog, CpuMeter, LogSource};

/// The role of a guest.
#[derive(Clone)]
pub(crate) enum Role {
    /// A handler, which runs one attempt.
    Handler(Arc<HeldLease>),
    /// A service, which claims for itself.
    Service(Arc<dyn ServiceHost>),
}

/// Whom a guest acts as towards other executions.
pub(in crate::host) struct Caller {
    /// The only namespace it may reach.
    pub(in crate::host) namespace: String,
    /// The type of source that signals name.
    pub(in crate::host) source_type: &'static str,
    /// Identifies the source among those of its type.
    pub(in crate::host) source_identity: String,
    /// The credential that asked for what it does; absent if none did, or several did.
    requester: Option<String>,
}

/// Why a guest cannot act towards other executions.
#[derive(Debug, thiserror::Error)]
pub(in crate::host) enum CallerError {
    /// The guest runs without an engine.
    #[error("no engine: this is `flowhost invoke`")]
    NoEngine,
    /// The guest holds no lease that says whom it acts as.
    #[error("{0}")]
    NoIdentity(&'static str),
}

impl Caller {
    /// Returns whom the holder of a lease acts as.
    pub(in crate::host) fn of(held: &HeldLease) -> Self {
        Self {
            namespace: held.task.namespace.clone(),
            source_type: KnownSource::Execution.as_str(),
            source_identity: held.task.execution_id.clone(),
            requester: held.requester.clone(),
        }
    }

    /// Returns what is recorded as the creator of executions: the credential that asked for
    /// the one at work, so that it is known to have asked for these too, and the author.
    pub(in crate::host) fn creator(&self) -> String {
        match &self.requester {
            Some(requester) => format!("{requester}/{}", self.author()),
            None => self.author(),
        }
    }

    /// Returns what is recorded as the author of cancellations and labels.
    pub(in crate::host) fn author(&self) -> String {
        format!("{}:{}", self.source_type, self.source_identity)
    }
}

impl Role {
    /// Returns what meters the guest's time on the processor.
    pub(crate) fn cpu(&self) -> &CpuMeter {
        match self {
            Self::Handler(held) => &held.attempt.cpu,
            Self::Service(service) => service.cpu(),
        }
    }

    /// Gives access to the log the guest writes to now, with the present time
    /// in it.
    pub(crate) fn with_log(&self, f: impl FnOnce(&mut AttemptLog, u64)) {
        match self {
            Self::Handler(held) => held.attempt.with_log(f),
            Self::Service(service) => service.with_log(Box::new(f)),
        }
    }

    /// Adds a record to the log the guest writes to now.
    pub(in crate::host) fn log(&self, level: &'static str, message: &[u8]) {
        self.with_log(|log, at_ms| log.record(at_ms, LogSource::Level(level), message));
    }

    /// Returns whom the guest acts as towards other executions.
    pub(in crate::host) fn caller(&self) -> Result<Caller, CallerError> {
        let service = match self {
            Self::Handler(held) => return Ok(Caller::of(held)),
            Self::Service(service) => service,
        };
        let held = service.held();
        match held.as_slice() {
            [] => Err(CallerError::NoIdentity(
                "a service acts as the namespace of the leases it holds, and it holds none",
            )),
            [one] => Ok(Caller::of(one)),
            [first, others @ ..] => {
                let namespace = &first.task.namespace;
                if others.iter().any(|held| held.task.namespace != *namespace) {
                    return Err(CallerError::NoIdentity(
                        "the service holds leases of several namespaces",
                    ));
                }
                Ok(Caller {
                    namespace: namespace.clone(),
                    source_type: KnownSource::Component.as_str(),
                    source_identity: service.digest().to_string(),
                    requester: first
                        .requester
                        .clone()
                        .filter(|_| others.iter().all(|held| held.requester == first.requester)),
                })
            }
        }
    }
}
