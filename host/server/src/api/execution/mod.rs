//! Executions on the wire: created, read, listed, and operated on.

mod attempt;
mod create;
mod list;
mod operate;
mod policy;
mod state;

pub use attempt::{Attempt, AttemptLease, Attempts, History, HistoryEntry, Usage};
pub(crate) use create::unique_keys;
pub use create::{BatchResults, BatchVerdict, CreateBatch, CreateExecution, CreatedExecution};
pub use list::{
    ExecutionPage, ExpiredLease, ExpiredLeases, ListOrder, SuspendedExecution, SuspendedExecutions,
};
pub use operate::{
    BlockExecution, CancelExecution, CancelledExecution, CompleteOverride, DelayOverride,
    ExpireExecution, FailOverride, OperateExecution, Operation, Operations, RevokeLease,
    RevokedExecution, SetPriority, SetTags, Tags, TagsSet, UnblockExecution,
};
pub use policy::Policy;
pub use state::{CurrentAttempt, CurrentLease, Execution, Failure, Progress, StateVector};
