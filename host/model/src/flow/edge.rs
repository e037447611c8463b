//! Edges: which ends of the upstream execution the downstream one waits for.

use serde::Serialize;
use uuid::Uuid;

use crate::Outcome;
use crate::wire::named;

/// Names one edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct EdgeId(pub Uuid);

named! {
    /// Which ends of the upstream execution satisfy an edge.
    #[derive(Default)]
    pub enum EdgeKind ("dependency kind") {
        /// Success.
        #[default]
        SuccessOnly = "success_only",
        /// A failure, or a time limit that passed.
        OnFailure = "on_failure",
        /// Any end, also when it was cancelled or skipped.
        Always = "always",
    }
}

named! {
    /// What has become of an edge.
    pub enum EdgeState ("edge state") {
        /// The upstream execution has not ended.
        Pending = "pending",
        /// It ended as the edge asks.
        Satisfied = "satisfied",
        /// It ended in another way.
        Impossible = "impossible",
    }
}

/// What the end of the upstream execution means for the group of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeEffect {
    /// It counts for the group.
    Satisfied,
    /// It counts against it, because the upstream execution did not end well.
    Failed,
    /// It counts against it, because the upstream execution was skipped, or ended well where
    /// the edge waits for a failure.
    Skipped,
}

impl EdgeKind {
    /// Returns what an end of the upstream execution means.
    pub const fn effect(self, outcome: Outcome) -> EdgeEffect {
        match (self, outcome) {
            (Self::Always, _)
            | (Self::SuccessOnly, Outcome::Success)
            | (Self::OnFailure, Outcome::Failed | Outcome::Expired) => EdgeEffect::Satisfied,
            (_, Outcome::Skipped) | (Self::OnFailure, Outcome::Success) => EdgeEffect::Skipped,
            (Self::SuccessOnly, _) | (Self::OnFailure, Outcome::Cancelled) => EdgeEffect::Failed,
        }
    }
}

impl EdgeEffect {
    /// Returns the state of the edge.
    pub const fn state(self) -> EdgeState {
        match self {
            Self::Satisfied => EdgeState::Satisfied,
            Self::Failed | Self::Skipped => EdgeState::Impossible,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_satisfied_by_its_ends_only() {
        use Outcome as O;
        let satisfied = |kind: EdgeKind| -> Vec<Outcome> {
            let is = |outcome: &Outcome| kind.effect(*outcome) == EdgeEffect::Satisfied;
            O::ALL.iter().copied().filter(is).collect()
        };
        assert_eq!(satisfied(EdgeKind::SuccessOnly), [O::Success]);
        assert_eq!(satisfied(EdgeKind::OnFailure), [O::Failed, O::Expired]);
        assert_eq!(satisfied(EdgeKind::Always), O::ALL);
    }
}
