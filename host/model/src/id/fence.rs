//! The fence: which grant of a lease a write belongs to.

use serde::{Deserialize, Serialize};

use super::{ExecutionId, LeaseId};

/// The execution-scoped fence that every write of a worker carries.
///
/// The epoch grows with every grant and with every involuntary release, so a
/// worker that lost its lease can never match again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {
    /// The execution it is about.
    pub execution_id: ExecutionId,
    /// The grant of the lease.
    pub lease_id: LeaseId,
    /// Generation of the lease, beginning at 1.
    pub epoch: u64,
    /// Number of the attempt, counted from zero.
    pub attempt: u32,
}
