//! Faults of a condition, and their place in the tree, such as `members[2].members[0]`.

use crate::wire::named;
use crate::{Invalid, RefusalCode};

named! {
    /// What is wrong with a condition, or with the waitpoints bound for it.
    pub enum ConditionFault ("condition fault") {
        /// `AllOf` has no members.
        AllofEmptyMembers = "allof_empty_members",
        /// `Count` asks for zero signals.
        CountNZero = "count_n_zero",
        /// `Count` names no waitpoints.
        CountWaitpointsEmpty = "count_waitpoints_empty",
        /// `Count` asks for more different waitpoints than it names.
        CountExceedsWaitpointSet = "count_exceeds_waitpoint_set",
        /// More composites within each other than
        /// [`Limits::COMPOSITE_DEPTH_MAX`].
        ConditionDepthExceeded = "condition_depth_exceeded",
        /// More nodes than [`Limits::CONDITION_NODES_MAX`].
        ConditionNodesExceeded = "condition_nodes_exceeded",
        /// More mentions of waitpoints than [`Limits::CONDITION_MENTIONS_MAX`].
        ConditionMentionsExceeded = "condition_mentions_exceeded",
        /// `ByName` holds an empty name.
        MatcherNameEmpty = "matcher_name_empty",
        /// `ByName` holds a name that no signal can have.
        MatcherNameInvalid = "matcher_name_invalid",
        /// A waitpoint key is empty.
        WaitpointKeyEmpty = "waitpoint_key_empty",
        /// A waitpoint key is too long or holds control characters.
        WaitpointKeyInvalid = "waitpoint_key_invalid",
        /// No waitpoint is bound.
        WaitpointsEmpty = "waitpoints_empty",
        /// More waitpoints are bound than [`Limits::WAITPOINTS_MAX`].
        WaitpointsExceeded = "waitpoints_exceeded",
        /// Two waitpoints are bound under one key.
        WaitpointKeyRepeated = "waitpoint_key_repeated",
        /// The key of `Single` is not that of the one waitpoint bound.
        WaitpointKeyMismatch = "waitpoint_key_mismatch",
        /// A waitpoint after the first is bound without a key.
        AdditionalWaitpointBindingEmptyKey = "additional_waitpoint_binding_empty_key",
        /// The condition names a waitpoint that is not bound.
        ReferencedWaitpointKeyMissingBinding = "referenced_waitpoint_key_missing_binding",
        /// The condition does not name one of several waitpoints bound.
        ExtraBindingNotReferencedByCondition = "extra_binding_not_referenced_by_condition",
        /// Only the time limit could end it, and there is none.
        TimeoutOnlyWithoutDeadline = "timeout_only_without_deadline",
        /// A flat condition has no nodes.
        FlatEmpty = "flat_empty",
        /// A member is not the index of a node.
        FlatIndexDangling = "flat_index_dangling",
        /// A node is a member twice.
        FlatSeveralParents = "flat_several_parents",
        /// A node is a member of itself, directly or through others.
        FlatCycle = "flat_cycle",
        /// A node is not reachable from the root.
        FlatUnreachable = "flat_unreachable",
    }
}

/// Why a condition was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at path {path}: {detail}")]
pub struct ConditionError {
    /// What is wrong, by its stable name.
    pub fault: ConditionFault,
    /// Where it is: `<root>`, `members[0]`, `waitpoints[1]`, `nodes[7]`.
    pub path: String,
    /// A sentence for people, with the values concerned.
    pub detail: String,
}

impl ConditionError {
    pub(super) fn new(
        fault: ConditionFault,
        path: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            fault,
            path: path.into(),
            detail: detail.into(),
        }
    }
}

impl From<ConditionError> for Invalid {
    fn from(error: ConditionError) -> Self {
        let invalid = Self::new("resume_condition", error.to_string());
        match error.fault {
            ConditionFault::WaitpointKeyEmpty | ConditionFault::WaitpointKeyInvalid => {
                invalid.coded(RefusalCode::InvalidWaitpointKey)
            }
            _ => invalid,
        }
    }
}

/// The place of a fault of the condition as a whole.
pub(super) const ROOT: &str = "<root>";

pub(super) fn at_most(
    fault: ConditionFault,
    path: &str,
    count: usize,
    max: usize,
) -> Result<(), ConditionError> {
    if count > max {
        return Err(ConditionError::new(fault, path, format!("at most {max}")));
    }
    Ok(())
}
