//! Registered workers, and the refusals of the registry.

use crate::wire::named;
use crate::{Invalid, Limits, Refusal, RefusalCode, Told};

impl Limits {
    /// Most bytes of the name of a worker or of its instance.
    pub const WORKER_NAME_BYTES_MAX: usize = 128;
    /// Most lanes, and most kinds, that one worker may name.
    pub const WORKER_NAMES_MAX: usize = 1000;
    /// Bounds of the time after a heartbeat at which a worker is taken for dead, in
    /// milliseconds.
    pub const LIVENESS_TTL_MS: std::ops::RangeInclusive<u32> = 1_000..=3_600_000;
    /// Most bytes of the reason why a worker is dead.
    pub const DEAD_REASON_BYTES_MAX: usize = 256;
}

named! {
    /// What a worker is. Labels of the Postgres enum `worker_type`.
    pub enum WorkerType ("worker type") {
        /// A host of this instance, which runs components.
        Host = "host",
        /// A program that claims over HTTP.
        Native = "native",
    }
}

/// Why a worker was not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterRefusal {
    /// The instance is registered under another worker id.
    #[error(
        "instance_id reassigned: this instance is registered under another worker_id; a new process takes a new instance id"
    )]
    InstanceReassigned,
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for RegisterRefusal {
    fn told(&self) -> Told {
        match self {
            Self::InstanceReassigned => RefusalCode::InstanceReassigned.alone(),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}

/// Why a request about a registered worker was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkerRefusal {
    /// The worker never registered, was removed, or its last heartbeat is too old.
    #[error(
        "no such worker is registered, or its registration has expired and it must register again"
    )]
    NotRegistered,
    /// An argument breaks a bound.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for WorkerRefusal {
    fn told(&self) -> Told {
        match self {
            Self::NotRegistered => RefusalCode::NotRegistered.alone(),
            Self::Invalid(invalid) => invalid.told(),
        }
    }
}
