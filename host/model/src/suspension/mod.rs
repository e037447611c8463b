//! Suspensions: why an execution waits, and what a signal does to one that waits.

mod delivery;
mod reason;

pub use delivery::{DeliveryTarget, OpenSuspension, SignalHeader, SuspensionEnd, TargetWaitpoint};
pub use reason::{
    ResumePolicy, ResumeTarget, SuspendRefusal, SuspensionCloseReason, SuspensionId,
    SuspensionReason, SuspensionRequester,
};
