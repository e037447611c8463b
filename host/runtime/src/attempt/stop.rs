//! Why a guest is stopped before it is done.

use model::ExecutionId;

/// Why a handler is stopped before it returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The lease is gone, or could not be renewed in time.
    #[error("the lease was lost")]
    LeaseLost,
    /// The execution was cancelled and the grace has passed.
    #[error("the execution was cancelled")]
    Cancelled,
    /// The attempt's own time limit passed.
    #[error("the attempt ran longer than it may")]
    AttemptTimeout,
    /// The handler recorded its outcome and did not return.
    #[error(
        "the handler ran for longer than the grace after it had recorded its outcome (sandbox.outcome_grace_ms)"
    )]
    GraceExpired,
    /// The attempt computed longer than it may.
    #[error("the attempt used more than {0} ms of processor time (sandbox.cpu_ms_max)")]
    CpuLimit(u32),
}

/// Why a service is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ServiceStop {
    /// It did not let go of a lease that is gone.
    #[error(
        "the service kept the lease on execution {0} after it was lost, cancelled or out of time, for longer than the grace (sandbox.cancel_grace_ms)"
    )]
    LeaseKept(ExecutionId),
    /// It computed too long.
    #[error(
        "the service computed for more than {0} ms under a lease without ending one (sandbox.cpu_ms_max)"
    )]
    CpuLimit(u32),
    /// It was told to end and did not.
    #[error("the service was told to end and did not return within the grace")]
    Retired,
    /// Its sandbox is gone.
    #[error("the sandbox of the service has ended")]
    Ended,
}
