//! Whether signals satisfy a condition, and which of them did.
//!
//! The answer follows from the signals alone. Each node counts for itself, from
//! the leaves up; adding signals never takes satisfaction away, and their order
//! decides only which of them are named as satisfiers.

use std::collections::HashSet;

use super::{CompositeBody, CountKind, ResumeCondition};
use crate::{SignalId, credential_of};

/// What a condition sees of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalFact<'a> {
    /// Key of the waitpoint it was sent to.
    pub waitpoint_key: &'a str,
    /// Id of the signal.
    pub signal_id: SignalId,
    /// Its name, which a matcher may ask for.
    pub name: &'a str,
    /// Type of its sender, such as `webhook`.
    pub source_type: &'a str,
    /// Identity of its sender within that type.
    pub source_identity: &'a str,
}

/// Whether signals satisfy a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluation {
    /// They do not satisfy it yet.
    Waiting,
    /// The condition is satisfied.
    Satisfied {
        /// The earliest signals that satisfy each node, in the order they were
        /// accepted, each once. They satisfy the condition without the others.
        satisfiers: Vec<SignalId>,
        /// The last of them: with it, and not before, the condition was
        /// satisfied.
        closer: SignalId,
    },
}

impl Evaluation {
    /// Whether the condition is satisfied.
    pub const fn is_satisfied(&self) -> bool {
        matches!(self, Self::Satisfied { .. })
    }
}

/// Decides whether signals, in the order they were accepted, satisfy a
/// condition.
///
/// Visits each signal at most once for each node. Signals of waitpoints that the condition
/// does not name may be left out.
pub fn evaluate(condition: &ResumeCondition, signals: &[SignalFact<'_>]) -> Evaluation {
    let mut places = Vec::new();
    if !gather(condition, signals, &mut places) {
        return Evaluation::Waiting;
    }
    places.sort_unstable();
    places.dedup();
    let satisfiers: Vec<SignalId> = places.iter().map(|&at| signals[at].signal_id).collect();
    match satisfiers.last() {
        Some(&closer) => Evaluation::Satisfied { satisfiers, closer },
        None => Evaluation::Waiting,
    }
}

/// Adds the places of the earliest signals that satisfy a node; tells whether
/// there are any.
fn gather(node: &ResumeCondition, signals: &[SignalFact<'_>], places: &mut Vec<usize>) -> bool {
    match node {
        // No signal satisfies these, regardless of its name.
        ResumeCondition::OperatorOnly | ResumeCondition::TimeoutOnly => false,
        ResumeCondition::Single { .. } => {
            let first = signals.iter().position(|signal| node.counts(signal));
            places.extend(first);
            first.is_some()
        }
        ResumeCondition::Composite(CompositeBody::AllOf { members }) => {
            !members.is_empty() && members.iter().all(|member| gather(member, signals, places))
        }
        ResumeCondition::Composite(CompositeBody::Count { n, count_kind, .. }) => {
            let wanted = *n as usize;
            let mut seen = HashSet::new();
            for (at, signal) in signals.iter().enumerate() {
                if seen.len() == wanted {
                    break;
                }
                if node.counts(signal) && seen.insert(CountedBy::of(*count_kind, signal)) {
                    places.push(at);
                }
            }
            wanted > 0 && seen.len() == wanted
        }
    }
}

impl ResumeCondition {
    /// Whether this node itself, rather than one of its members, counts a signal.
    pub(super) fn counts(&self, signal: &SignalFact<'_>) -> bool {
        match self {
            Self::Single {
                waitpoint_key,
                matcher,
            } => waitpoint_key == signal.waitpoint_key && matcher.admits(signal.name),
            Self::Composite(CompositeBody::Count {
                matcher,
                waitpoints,
                ..
            }) => {
                waitpoints.iter().any(|key| key == signal.waitpoint_key)
                    && matcher
                        .as_ref()
                        .is_none_or(|matcher| matcher.admits(signal.name))
            }
            Self::OperatorOnly
            | Self::TimeoutOnly
            | Self::Composite(CompositeBody::AllOf { .. }) => false,
        }
    }
}

/// What a signal is counted by. Never joined to one text: a source `a:b` of `c` is not the
/// source `a` of `b:c`.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum CountedBy<'a> {
    Waitpoint(&'a str),
    Signal(SignalId),
    Source(&'a str, &'a str),
    Credential(&'a str),
}

impl<'a> CountedBy<'a> {
    pub(super) fn of(kind: CountKind, signal: &SignalFact<'a>) -> Self {
        match kind {
            CountKind::DistinctWaitpoints => Self::Waitpoint(signal.waitpoint_key),
            CountKind::DistinctSignals => Self::Signal(signal.signal_id),
            // A caller with a credential is one source, by each route and under each note.
            CountKind::DistinctSources => match credential_of(signal.source_identity) {
                Some(credential) => Self::Credential(credential),
                None => Self::Source(signal.source_type, signal.source_identity),
            },
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::SignalMatcher;
    use super::*;
    use uuid::Uuid;

    /// Builds the signal with this number.
    pub(in super::super) fn signal<'a>(
        id: u128,
        waitpoint_key: &'a str,
        name: &'a str,
    ) -> SignalFact<'a> {
        SignalFact {
            waitpoint_key,
            signal_id: SignalId(Uuid::from_u128(id)),
            name,
            source_type: "webhook",
            source_identity: "a",
        }
    }

    fn satisfied(ids: &[u128]) -> Evaluation {
        let satisfiers: Vec<_> = ids
            .iter()
            .map(|&id| SignalId(Uuid::from_u128(id)))
            .collect();
        Evaluation::Satisfied {
            closer: *satisfiers.last().expect("some"),
            satisfiers,
        }
    }

    fn all(members: Vec<ResumeCondition>) -> ResumeCondition {
        ResumeCondition::Composite(CompositeBody::AllOf { members })
    }

    fn count(n: u32, count_kind: CountKind, waitpoints: &[&str]) -> ResumeCondition {
        ResumeCondition::Composite(CompositeBody::Count {
            n,
            count_kind,
            matcher: None,
            waitpoints: waitpoints.iter().map(|&key| key.into()).collect(),
        })
    }

    #[test]
    fn the_first_signal_that_matches_satisfies_a_single() {
        let condition = ResumeCondition::Single {
            waitpoint_key: "a".into(),
            matcher: SignalMatcher::ByName("yes".into()),
        };
        let signals = [
            signal(1, "b", "yes"),
            signal(2, "a", "no"),
            signal(3, "a", "yes"),
            signal(4, "a", "yes"),
        ];
        assert_eq!(evaluate(&condition, &signals[..2]), Evaluation::Waiting);
        assert_eq!(evaluate(&condition, &signals), satisfied(&[3]));
    }

    #[test]
    fn no_signal_name_is_taken_for_an_operator_or_a_time_limit() {
        let names = [
            "__operator_only__",
            "__timeout_only__",
            "__timeout__",
            "OperatorOnly",
        ];
        let signals = names.map(|name| signal(1, "a", name));
        for leaf in [ResumeCondition::OperatorOnly, ResumeCondition::TimeoutOnly] {
            assert_eq!(evaluate(&leaf, &signals), Evaluation::Waiting);
            let condition = all(vec![ResumeCondition::all_of_waitpoints(["a"]), leaf]);
            assert_eq!(evaluate(&condition, &signals), Evaluation::Waiting);
        }
    }

    /// FlowFabric evaluated parents before their members, so that nesting of three levels
    /// never completed.
    #[test]
    fn four_levels_complete_with_their_last_leaf() {
        let two = count(2, CountKind::DistinctSignals, &["b"]);
        let condition = all(vec![
            ResumeCondition::all_of_waitpoints(["a"]),
            all(vec![all(vec![
                two,
                ResumeCondition::any_of_waitpoints(["c", "d"]),
            ])]),
        ]);
        let signals = [
            signal(1, "b", "x"),
            signal(2, "d", "x"),
            signal(3, "a", "x"),
            signal(4, "a", "x"),
            signal(5, "b", "x"),
        ];
        assert_eq!(evaluate(&condition, &signals[..4]), Evaluation::Waiting);
        assert_eq!(evaluate(&condition, &signals), satisfied(&[1, 2, 3, 5]));
    }

    /// In FlowFabric the nodes shared one set of counted signals, so that what one counted
    /// was lost to the others.
    #[test]
    fn each_node_counts_for_itself() {
        let named = |name: &str| {
            ResumeCondition::Composite(CompositeBody::Count {
                n: 2,
                count_kind: CountKind::DistinctSources,
                matcher: Some(SignalMatcher::ByName(name.into())),
                waitpoints: vec!["a".into()],
            })
        };
        let condition = all(vec![named("x"), named("y")]);
        let from = |id, name, source_identity| SignalFact {
            source_identity,
            ..signal(id, "a", name)
        };
        let signals = [from(1, "x", "p"), from(2, "y", "q"), from(3, "x", "q")];
        assert_eq!(evaluate(&condition, &signals), Evaluation::Waiting);
        let signals = [signals.as_slice(), &[from(4, "y", "p")]].concat();
        assert_eq!(evaluate(&condition, &signals), satisfied(&[1, 2, 3, 4]));
    }

    #[test]
    fn count_kinds_use_distinct_keys() {
        let from = |id, key, source_type, source_identity| SignalFact {
            source_type,
            source_identity,
            ..signal(id, key, "x")
        };
        let signals = [
            from(1, "a", "p:q", "r"),
            from(1, "a", "p:q", "r"),
            from(2, "a", "p:q", "r"),
            from(3, "a", "p", "q:r"),
            from(4, "b", "p", "q:r"),
        ];
        let two = |kind| evaluate(&count(2, kind, &["a", "b"]), &signals);
        assert_eq!(two(CountKind::DistinctSignals), satisfied(&[1, 2]));
        assert_eq!(two(CountKind::DistinctSources), satisfied(&[1, 3]));
        assert_eq!(two(CountKind::DistinctWaitpoints), satisfied(&[1, 4]));
        let elsewhere = count(1, CountKind::DistinctSignals, &["c"]);
        assert_eq!(evaluate(&elsewhere, &signals), Evaluation::Waiting);
    }

    #[test]
    fn a_condition_without_leaves_is_never_satisfied() {
        let signals = [signal(1, "a", "x")];
        for condition in [all(vec![]), count(0, CountKind::DistinctSignals, &["a"])] {
            assert_eq!(evaluate(&condition, &signals), Evaluation::Waiting);
        }
    }
}
