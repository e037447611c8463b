//! When a group of edges is decided.

use super::{EdgeDependencyPolicy, EdgeEffect, EdgeGroupState};

/// The edges into one execution, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeGroup {
    /// How many must be satisfied.
    pub policy: EdgeDependencyPolicy,
    /// All edges of the group.
    pub total: u32,
    /// Those that are satisfied.
    pub satisfied: u32,
    /// Those whose upstream execution failed, expired or was cancelled.
    pub failed: u32,
    /// Those whose upstream execution was skipped, or did not fail where that was waited for.
    pub skipped: u32,
    /// Whether it is decided, and how. Decided once: later ends are only counted.
    pub state: EdgeGroupState,
}

/// What a group has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupDecision {
    /// The execution may begin.
    Satisfied,
    /// It can no longer come true: the execution is skipped.
    Impossible,
}

impl EdgeGroup {
    /// Returns a group without edges.
    pub const fn new(policy: EdgeDependencyPolicy) -> Self {
        Self {
            policy,
            total: 0,
            satisfied: 0,
            failed: 0,
            skipped: 0,
            state: EdgeGroupState::Pending,
        }
    }

    /// Returns how many edges wait for the end of their upstream execution.
    pub const fn running(&self) -> u32 {
        self.total
            .saturating_sub(self.satisfied)
            .saturating_sub(self.failed)
            .saturating_sub(self.skipped)
    }

    /// Counts the end of one upstream execution.
    pub const fn count(&mut self, effect: EdgeEffect) {
        match effect {
            EdgeEffect::Satisfied => self.satisfied += 1,
            EdgeEffect::Failed => self.failed += 1,
            EdgeEffect::Skipped => self.skipped += 1,
        }
    }

    /// Takes back an end that was counted, because the upstream execution is replayed.
    pub const fn uncount(&mut self, effect: EdgeEffect) {
        let counter = match effect {
            EdgeEffect::Satisfied => &mut self.satisfied,
            EdgeEffect::Failed => &mut self.failed,
            EdgeEffect::Skipped => &mut self.skipped,
        };
        *counter = counter.saturating_sub(1);
    }

    /// Decides the group if that was not done and can be; returns the decision, once.
    ///
    /// A quorum that needs more edges than there are may get them yet: it is impossible only
    /// when all that are there have ended.
    pub const fn decide(&mut self) -> Option<GroupDecision> {
        if !matches!(self.state, EdgeGroupState::Pending) || self.total == 0 {
            return None;
        }
        let needed = self.policy.needed(self.total);
        let waits = self.running();
        let (state, decision) = if self.satisfied >= needed {
            (EdgeGroupState::Satisfied, GroupDecision::Satisfied)
        } else if self.satisfied + waits < needed && (self.total >= needed || waits == 0) {
            (EdgeGroupState::Impossible, GroupDecision::Impossible)
        } else {
            return None;
        };
        self.state = state;
        Some(decision)
    }
}

#[cfg(test)]
mod tests {
    use super::super::OnSatisfied;
    use super::*;

    const ANY: EdgeDependencyPolicy = EdgeDependencyPolicy::AnyOf {
        on_satisfied: OnSatisfied::LetRun,
    };

    const fn quorum(k: u32) -> EdgeDependencyPolicy {
        EdgeDependencyPolicy::Quorum {
            k,
            on_satisfied: OnSatisfied::LetRun,
        }
    }

    /// Counts ends in order; returns how many were counted when it was decided, and how.
    fn decided(
        policy: EdgeDependencyPolicy,
        total: u32,
        ends: &[EdgeEffect],
    ) -> Option<(usize, GroupDecision)> {
        let mut group = EdgeGroup {
            total,
            ..EdgeGroup::new(policy)
        };
        let mut found = None;
        for (at, effect) in ends.iter().enumerate() {
            group.count(*effect);
            if let Some(decision) = group.decide() {
                assert!(found.is_none(), "decided once");
                found = Some((at + 1, decision));
            }
        }
        found
    }

    #[test]
    fn a_group_is_decided_with_the_first_end_that_leaves_no_choice() {
        use EdgeEffect::{Failed as F, Satisfied as S, Skipped as K};
        use GroupDecision::{Impossible, Satisfied};
        let all = EdgeDependencyPolicy::AllOf;
        assert_eq!(decided(all, 3, &[S, S]), None);
        assert_eq!(decided(all, 3, &[S, S, S]), Some((3, Satisfied)));
        assert_eq!(decided(all, 3, &[S, K, S]), Some((2, Impossible)));
        assert_eq!(decided(ANY, 3, &[F, S, S]), Some((2, Satisfied)));
        assert_eq!(decided(ANY, 3, &[F, K, F]), Some((3, Impossible)));
        assert_eq!(decided(quorum(2), 3, &[S, F, S]), Some((3, Satisfied)));
        assert_eq!(decided(quorum(2), 3, &[F, K, S]), Some((2, Impossible)));
        // More edges may come.
        assert_eq!(decided(quorum(3), 2, &[F]), None);
        assert_eq!(decided(quorum(3), 2, &[S, F]), Some((2, Impossible)));
    }
}
