//! Leases on the wire: claimed, granted, and reported about.

mod claim;
mod grant;
mod verbs;

pub use claim::{ClaimWork, ClaimedExecution, ClaimedWork, WAIT_MS_MAX, check_ttl};
pub use grant::{
    ClaimForWorker, EligibleExecution, EligibleExecutions, GrantFor, GrantedClaim, IssuedGrant,
    Redeem,
};
pub use verbs::{
    CancelLease, CancelLeases, CancelOneOrMany, CloseLeaseWaitpoint, CloseLeaseWaitpoints,
    CloseWaitpointOneOrMany, CompleteLease, CompleteLeases, CompleteOneOrMany, DelayLease,
    DelayLeases, DelayOneOrMany, FailLease, FailLeases, FailOneOrMany, LeaseAnswer, LeaseEffect,
    LeaseOutcome, LeaseVerdict, LeaseVerdicts, ProgressLease, ProgressLeases, ProgressOneOrMany,
    ReleaseLease, ReleaseLeases, ReleaseOneOrMany, Renew, RenewLease, RenewLeases, RenewOneOrMany,
    WaitChildrenLease, WaitChildrenLeases, WaitChildrenOneOrMany,
};

pub(in crate::api) use verbs::one_or_many;
