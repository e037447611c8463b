//! The effect of an accepted signal.

use super::evaluate::CountedBy;
use super::{CompositeBody, ResumeCondition, SignalFact, evaluate};
use crate::SignalEffect;

/// Returns the effect of the last of these signals, in the order they were accepted, on a
/// suspension with this condition; of no signals, [`SignalEffect::NoOp`].
pub fn effect(condition: &ResumeCondition, signals: &[SignalFact<'_>]) -> SignalEffect {
    let Some((new, before)) = signals.split_last() else {
        return SignalEffect::NoOp;
    };
    let keys = condition.waitpoint_keys();
    if keys.is_empty() {
        return SignalEffect::NoOp;
    }
    if !keys.contains(&new.waitpoint_key) {
        return SignalEffect::SignalIgnoredNotInCondition;
    }
    if !evaluate(condition, before).is_satisfied() && evaluate(condition, signals).is_satisfied() {
        return SignalEffect::ResumeConditionSatisfied;
    }
    let (mut matched, mut progressed) = (false, false);
    condition.visit(&mut |node| {
        if node.counts(new) {
            matched = true;
            progressed |= advances(node, before, new);
        }
    });
    match (matched, progressed) {
        (false, _) => SignalEffect::SignalIgnoredMatcherFailed,
        (true, true) => SignalEffect::AppendedToWaitpoint,
        (true, false) => SignalEffect::AppendedToWaitpointDuplicate,
    }
}

/// Whether a signal that a leaf counts brings the leaf nearer to being satisfied.
fn advances(leaf: &ResumeCondition, before: &[SignalFact<'_>], new: &SignalFact<'_>) -> bool {
    if evaluate(leaf, before).is_satisfied() {
        return false;
    }
    let mut counted = before.iter().filter(|signal| leaf.counts(signal));
    match leaf {
        ResumeCondition::Composite(CompositeBody::Count { count_kind, .. }) => {
            let by = CountedBy::of(*count_kind, new);
            !counted.any(|signal| CountedBy::of(*count_kind, signal) == by)
        }
        _ => counted.next().is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::evaluate::tests::signal;
    use super::super::{CountKind, SignalMatcher};
    use super::*;

    #[test]
    fn every_effect_is_reachable() {
        let condition = ResumeCondition::Composite(CompositeBody::AllOf {
            members: vec![
                ResumeCondition::Single {
                    waitpoint_key: "a".into(),
                    matcher: SignalMatcher::ByName("yes".into()),
                },
                ResumeCondition::Composite(CompositeBody::Count {
                    n: 2,
                    count_kind: CountKind::DistinctWaitpoints,
                    matcher: None,
                    waitpoints: vec!["b".into(), "c".into()],
                }),
            ],
        });
        let signals = [
            signal(1, "z", "yes"),
            signal(2, "a", "no"),
            signal(3, "a", "yes"),
            signal(4, "a", "yes"),
            signal(5, "b", "x"),
            signal(6, "b", "x"),
            signal(7, "c", "x"),
            signal(8, "c", "x"),
        ];
        let effects: Vec<_> = (0..=signals.len())
            .map(|end| effect(&condition, &signals[..end]).as_str())
            .collect();
        assert_eq!(
            effects,
            [
                "no_op",
                "signal_ignored_not_in_condition",
                "signal_ignored_matcher_failed",
                "appended_to_waitpoint",
                "appended_to_waitpoint_duplicate",
                "appended_to_waitpoint",
                "appended_to_waitpoint_duplicate",
                "resume_condition_satisfied",
                "appended_to_waitpoint_duplicate",
            ]
        );
        let operator = ResumeCondition::OperatorOnly;
        assert_eq!(effect(&operator, &signals), SignalEffect::NoOp);
    }
}
