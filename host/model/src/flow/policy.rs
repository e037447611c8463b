//! How many of the edges of a group must be satisfied, and what becomes of the others.

use serde::{Deserialize, Serialize};

use crate::wire::named;
use crate::{Invalid, Limits, ensure};

named! {
    /// What becomes of upstream executions that have not ended when their group is decided.
    #[derive(Default)]
    pub enum OnSatisfied ("on_satisfied") {
        /// They are cancelled.
        #[default]
        CancelRemaining = "cancel_remaining",
        /// They run on, and what they end with is counted.
        LetRun = "let_run",
    }
}

/// How many of the edges of a group must be satisfied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum EdgeDependencyPolicy {
    /// Each of them.
    #[default]
    AllOf,
    /// One of them.
    AnyOf {
        /// What becomes of the others.
        #[serde(default)]
        on_satisfied: OnSatisfied,
    },
    /// So many of them.
    Quorum {
        /// How many of them, at least 1.
        k: u32,
        /// What becomes of the others.
        #[serde(default)]
        on_satisfied: OnSatisfied,
    },
}

impl EdgeDependencyPolicy {
    /// Returns the name of its kind.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::AllOf => "all_of",
            Self::AnyOf { .. } => "any_of",
            Self::Quorum { .. } => "quorum",
        }
    }

    /// Returns the number of a quorum.
    pub const fn k(self) -> Option<u32> {
        match self {
            Self::Quorum { k, .. } => Some(k),
            Self::AllOf | Self::AnyOf { .. } => None,
        }
    }

    /// Returns what becomes of upstream executions that have not ended. Those of a group that
    /// needs all of them run on: others may wait for them.
    pub const fn on_satisfied(self) -> OnSatisfied {
        match self {
            Self::AllOf => OnSatisfied::LetRun,
            Self::AnyOf { on_satisfied } | Self::Quorum { on_satisfied, .. } => on_satisfied,
        }
    }

    /// Returns how many edges of so many must be satisfied.
    pub const fn needed(self, total: u32) -> u32 {
        match self {
            Self::AllOf => total,
            Self::AnyOf { .. } => 1,
            Self::Quorum { k, .. } => k,
        }
    }

    /// Checks the number of a quorum.
    ///
    /// # Errors
    /// It is 0, or larger than a flow can be.
    pub fn check(self) -> Result<(), Invalid> {
        let max = Limits::FLOW_EDGES_MAX;
        let ok = self.k().is_none_or(|k| (1..=max as u32).contains(&k));
        ensure("k", ok, || format!("must be 1 to {max}"))
    }
}
