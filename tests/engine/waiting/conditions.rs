//! Conditions hold what they promise for random trees and signals, compared with
//! a reference that is too simple to be wrong.

use std::collections::BTreeSet;

use model::{
    CompositeBody, CountKind, Evaluation, ResumeCondition, SignalEffect, SignalFact, SignalId,
    SignalMatcher, effect, evaluate,
};
use testkit::Random;
use uuid::Uuid;

use crate::support::conditions::{KEYS, NAMES, SOURCES, condition};

fn signals(random: &mut Random) -> Vec<SignalFact<'static>> {
    (0..random.below(16))
        .map(|at| {
            let (source_type, source_identity) = *random.pick(&SOURCES);
            SignalFact {
                waitpoint_key: KEYS[random.below(KEYS.len())],
                signal_id: SignalId(Uuid::from_u128(at as u128)),
                name: NAMES[random.below(NAMES.len())],
                source_type,
                source_identity,
            }
        })
        .collect()
}

/// Whether a condition is satisfied, as one would say it.
fn holds(condition: &ResumeCondition, signals: &[SignalFact<'_>]) -> bool {
    let admits = |matcher: &SignalMatcher, signal: &SignalFact<'_>| match matcher {
        SignalMatcher::Wildcard => true,
        SignalMatcher::ByName(name) => name == signal.name,
    };
    match condition {
        ResumeCondition::OperatorOnly | ResumeCondition::TimeoutOnly => false,
        ResumeCondition::Single {
            waitpoint_key,
            matcher,
        } => signals
            .iter()
            .any(|signal| signal.waitpoint_key == waitpoint_key && admits(matcher, signal)),
        ResumeCondition::Composite(CompositeBody::AllOf { members }) => {
            members.iter().all(|member| holds(member, signals))
        }
        ResumeCondition::Composite(CompositeBody::Count {
            n,
            count_kind,
            matcher,
            waitpoints,
        }) => {
            let different: BTreeSet<String> = signals
                .iter()
                .filter(|signal| waitpoints.iter().any(|key| key == signal.waitpoint_key))
                .filter(|signal| matcher.as_ref().is_none_or(|it| admits(it, signal)))
                .map(|signal| match count_kind {
                    CountKind::DistinctWaitpoints => signal.waitpoint_key.to_owned(),
                    CountKind::DistinctSignals => signal.signal_id.to_string(),
                    CountKind::DistinctSources => {
                        format!("{:?}", (signal.source_type, signal.source_identity))
                    }
                })
                .collect();
            different.len() >= *n as usize
        }
    }
}

#[test]
fn evaluation_agrees_with_the_reference_after_every_signal() {
    let (mut satisfied, mut waiting) = (0, 0);
    Random::rounds(5_000, |random| {
        let condition = condition(random, 4);
        let mut signals = signals(random);
        // The moment it is satisfied first, and who closes it then.
        let first = (0..=signals.len()).find(|&end| holds(&condition, &signals[..end]));
        for end in 0..=signals.len() {
            let found = evaluate(&condition, &signals[..end]);
            let Evaluation::Satisfied { satisfiers, closer } = found else {
                assert!(
                    first.is_none_or(|first| end < first),
                    "{condition:?} {signals:?}"
                );
                continue;
            };
            let first = first.expect("the reference agrees");
            assert!(end >= first, "monotone: {condition:?} {signals:?}");
            assert_eq!(
                closer,
                signals[first - 1].signal_id,
                "{condition:?} {signals:?}"
            );
            assert_eq!(satisfiers.last(), Some(&closer));
            let alone: Vec<_> = signals
                .iter()
                .filter(|signal| satisfiers.contains(&signal.signal_id))
                .copied()
                .collect();
            assert_eq!(alone.len(), satisfiers.len(), "each once");
            assert!(holds(&condition, &alone), "{condition:?} {satisfiers:?}");
            assert_eq!(
                evaluate(&condition, &alone),
                Evaluation::Satisfied { satisfiers, closer },
                "the others change nothing"
            );
        }
        random.shuffle(&mut signals);
        let shuffled = evaluate(&condition, &signals).is_satisfied();
        assert_eq!(shuffled, first.is_some(), "{condition:?} {signals:?}");
        if shuffled {
            satisfied += 1;
        } else {
            waiting += 1;
        }
    });
    assert!(
        satisfied > 500 && waiting > 500,
        "{satisfied} {waiting}: draw others"
    );
}

#[test]
fn a_signal_satisfies_exactly_once() {
    Random::rounds(2_000, |random| {
        let condition = condition(random, 3);
        let signals = signals(random);
        let closers: Vec<_> = (1..=signals.len())
            .filter(|&end| {
                effect(&condition, &signals[..end]) == SignalEffect::ResumeConditionSatisfied
            })
            .collect();
        let first = (1..=signals.len()).find(|&end| holds(&condition, &signals[..end]));
        assert_eq!(closers, Vec::from_iter(first), "{condition:?} {signals:?}");
    });
}

#[test]
fn a_condition_survives_its_encodings() {
    Random::rounds(2_000, |random| {
        let condition = condition(random, 4);
        assert_eq!(condition.check_structure(), Ok(()), "{condition:?}");
        let read = ResumeCondition::unflatten(condition.flatten());
        assert_eq!(read.as_ref(), Ok(&condition));
        let text = serde_json::to_string(&condition).expect("writes");
        let read: ResumeCondition = serde_json::from_str(&text).expect("reads");
        assert_eq!(read, condition, "{text}");
    });
}
