//! Enums of the contract that name the values of an enum of the model, and nothing else.

use crate::host::bindings::flowhost::engine::{flows, signal, suspend, types};
use crate::host::bindings::service::flowhost::engine::events;

/// Converts one enum into another whose values have the same names.
macro_rules! same_names {
    ($($from:ty => $to:ty { $($value:ident),+ $(,)? })+) => {$(
        impl From<$from> for $to {
            fn from(value: $from) -> Self {
                match value {
                    $(<$from>::$value => Self::$value,)+
                }
            }
        }
    )+};
}

same_names! {
    types::FailureClass => model::FailureClass {
        Transient, Permanent, InfraCrash, Timeout, Cancelled,
    }
    suspend::CountKind => model::CountKind { DistinctWaitpoints, DistinctSignals, DistinctSources }
    suspend::Reason => model::SuspensionReason {
        WaitingForSignal, WaitingForApproval, WaitingForCallback, WaitingForToolResult,
        WaitingForOperatorReview, PausedByPolicy, PausedByBudget, StepBoundary, ManualPause,
    }
    suspend::Requester => model::SuspensionRequester { Worker, Operator, Policy }
    suspend::TimeoutBehavior => model::TimeoutBehavior {
        Fail, Cancel, Expire, AutoResumeWithTimeoutSignal, Escalate,
    }
    flows::DependencyKind => model::EdgeKind { SuccessOnly, OnFailure, Always }
    flows::OnSatisfied => model::OnSatisfied { CancelRemaining, LetRun }
    flows::CancellationPolicy => model::FlowCancellationPolicy {
        CancelAll, CancelPending, CancelFlowOnly,
    }
    model::OnSatisfied => flows::OnSatisfied { CancelRemaining, LetRun }
    model::FlowCancellationPolicy => flows::CancellationPolicy {
        CancelAll, CancelPending, CancelFlowOnly,
    }
    model::Outcome => flows::Outcome { Success, Failed, Cancelled, Expired, Skipped }
    model::FlowStatus => flows::Status { Active, Completed, Failed, Cancelled, Unknown }
    model::PublicFlowState => flows::FlowState {
        Open, Running, Blocked, Cancelled, Completed, Failed,
    }
    model::EdgeGroupState => flows::GroupState { Pending, Satisfied, Impossible, Cancelled }
    model::WaitpointState => suspend::WaitpointState { Pending, Active, Closed, Expired }
    model::AttemptType => types::AttemptType { Initial, Retry, Reclaim, Replay, Fallback }
    model::RevokedBy => events::RevokedBy { Operator, Reconciler, Backend }
    model::SignalEffect => signal::Effect {
        AppendedToWaitpoint, ResumeConditionSatisfied, NoOp, SignalIgnoredNotInCondition,
        SignalIgnoredMatcherFailed, AppendedToWaitpointDuplicate, BufferedForPendingWaitpoint,
    }
}
