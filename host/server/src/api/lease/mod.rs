//! Leases on the wire: claimed, granted, and reported about.

mod claim;
mod grant;
mod verbs;

pub use claim::{ClaimWork, ClaimedExecution, ClaimedWork, check_ttl};
pub use grant::{
    ClaimForWorker, EligibleExecution, EligibleExecutions, GrantFor, GrantedClaim, IssuedGrant,
    Redeem,
};
pub use verbs::{
    CancelLease, CompleteLease, DelayLease, FailLease, LeaseAnswer, LeaseEffect, LeaseOutcome,
    LeaseVerdict, LeaseVerdicts, OneOrMany, ProgressLease, ReleaseLease, RenewLeases,
};
