//! What the guest of a store is: a handler with its one lease, or a service with
//! those it takes. Whatever it may act as follows from this.

use std::sync::Arc;

use model::KnownSource;

use super::{HeldLease, ServiceHost};
use crate::attempt::{AttemptLog, CpuMeter};

/// What the guest is.
#[derive(Clone)]
pub(crate) enum Role {
    /// Runs one attempt.
    Handler(Arc<HeldLease>),
    /// Claims for itself.
    Service(Arc<dyn ServiceHost>),
}

/// Whom a guest acts as towards other executions.
pub(super) struct Caller {
    /// The namespace it sees.
    pub(super) namespace: String,
    /// What sort of thing it is.
    pub(super) source_type: &'static str,
    /// Which one of that sort.
    pub(super) source_identity: String,
}

impl Caller {
    /// Returns what is kept as the author of what it does.
    pub(super) fn author(&self) -> String {
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

    /// Returns whom the guest acts as, or why it acts as nobody.
    pub(super) fn caller(&self) -> Result<Caller, &'static str> {
        let of = |held: &HeldLease| Caller {
            namespace: held.task.namespace.clone(),
            source_type: KnownSource::Execution.as_str(),
            source_identity: held.task.execution_id.clone(),
        };
        let service = match self {
            Self::Handler(held) => return Ok(of(held)),
            Self::Service(service) => service,
        };
        let held = service.held();
        match held.as_slice() {
            [] => Err("a worker acts as the namespace of the leases it holds, and it holds none"),
            [one] => Ok(of(one)),
            [first, others @ ..] => {
                let namespace = &first.task.namespace;
                if others.iter().any(|held| held.task.namespace != *namespace) {
                    return Err("the worker holds leases of several namespaces");
                }
                Ok(Caller {
                    namespace: namespace.clone(),
                    source_type: KnownSource::Component.as_str(),
                    source_identity: service.digest().to_string(),
                })
            }
        }
    }
}
