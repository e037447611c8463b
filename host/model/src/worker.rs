//! Workers as the registry knows them, and the refusals of its verbs.

use crate::Invalid;
use crate::wire::named;

named! {
    /// What a worker is. Labels of the Postgres enum `worker_type`.
    pub enum WorkerType ("worker type") {
        /// A host of this instance, which runs components.
        Host = "host",
        /// A program that speaks to the API.
        Native = "native",
    }
}

/// Why a worker was not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterRefusal {
    /// The instance belongs to another worker.
    #[error(
        "instance_id reassigned: this instance is registered under another worker_id; a new process takes a new instance id"
    )]
    InstanceReassigned,
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl RegisterRefusal {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InstanceReassigned => "instance_reassigned",
            Self::Invalid(_) => "invalid_input",
        }
    }
}

/// Why something about a worker was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkerRefusal {
    /// It never registered, was forgotten, or its time has passed.
    #[error("no such worker is registered, or its time has passed and it registers again")]
    NotRegistered,
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl WorkerRefusal {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotRegistered => "not_registered",
            Self::Invalid(_) => "invalid_input",
        }
    }
}
