//! Refusals of flows, as guests see them.

use model::{FlowCancelRefusal, FlowRefusal, LeaseRefusal};

use crate::host::bindings::flowhost::engine::claim::LeaseError;
use crate::host::bindings::flowhost::engine::flows::{FlowError, RefusedDependency, RefusedMember};
use crate::host::convert::said;
use crate::host::executions::create_refusal;

/// Converts a refusal of a call that is not made under a lease.
pub(super) fn refused_flow(refusal: FlowRefusal) -> FlowError {
    let no_lease = |refusal: LeaseRefusal| LeaseError::Invalid(said(&refusal));
    refused_under(refusal, no_lease)
}

/// Converts a refusal; `lease` converts one of the lease.
pub(super) fn refused_under(
    refusal: FlowRefusal,
    lease: impl FnOnce(LeaseRefusal) -> LeaseError,
) -> FlowError {
    match refusal {
        FlowRefusal::NotFound => FlowError::FlowNotFound,
        FlowRefusal::AlreadyTerminal => FlowError::FlowAlreadyTerminal,
        FlowRefusal::StaleGraphRevision { current } => {
            FlowError::StaleGraphRevision(u32::try_from(current).unwrap_or(u32::MAX))
        }
        FlowRefusal::IdempotencyConflict { existing, .. } => {
            FlowError::IdempotencyConflict(existing)
        }
        FlowRefusal::Member { member, refusal } => FlowError::Member(RefusedMember {
            member,
            why: create_refusal(refusal),
        }),
        FlowRefusal::ExecutionNotFound(id) => FlowError::ExecutionNotFound(id.to_string()),
        FlowRefusal::ExecutionNotInFlow(member) => FlowError::ExecutionNotInFlow(member),
        FlowRefusal::AlreadyInFlow { flow, .. } => {
            FlowError::ExecutionAlreadyInFlow(flow.to_string())
        }
        FlowRefusal::OtherPartition { execution, .. } => {
            FlowError::PartitionMismatch(execution.to_string())
        }
        FlowRefusal::SelfReferencingEdge(member) => FlowError::SelfReferencingEdge(member),
        FlowRefusal::CycleDetected { cycle } => FlowError::CycleDetected(cycle),
        FlowRefusal::DependencyAlreadyExists { existing, .. } => {
            FlowError::DependencyAlreadyExists(existing.0.to_string())
        }
        FlowRefusal::InvalidDependency { member, why } => {
            FlowError::InvalidDependency(RefusedDependency {
                member,
                why: why.to_owned(),
            })
        }
        FlowRefusal::GroupPolicyFixed(member) => FlowError::EdgeGroupPolicyAlreadyFixed(member),
        FlowRefusal::TooLarge { max, .. } => {
            FlowError::FlowTooLarge(u32::try_from(max).unwrap_or(u32::MAX))
        }
        FlowRefusal::OldHosts => FlowError::FlowsUnavailable,
        FlowRefusal::Lease(refusal) => FlowError::Lease(lease(refusal)),
        // No guest gives an id.
        refusal @ (FlowRefusal::IdConflict(_) | FlowRefusal::Invalid(_)) => {
            FlowError::Invalid(said(&refusal))
        }
    }
}

/// Converts a refusal of a cancellation.
pub(super) fn not_cancelled(refusal: FlowCancelRefusal) -> FlowError {
    match refusal {
        FlowCancelRefusal::NotFound => FlowError::FlowNotFound,
        FlowCancelRefusal::Invalid(invalid) => FlowError::Invalid(said(&invalid)),
    }
}
