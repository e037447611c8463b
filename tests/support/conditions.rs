//! Random conditions, and the names they are made of.

use std::collections::BTreeSet;

use model::{CompositeBody, CountKind, ResumeCondition, SignalMatcher};
use testkit::Random;

pub(crate) const KEYS: [&str; 4] = ["a", "b", "c", "d"];
pub(crate) const NAMES: [&str; 3] = ["x", "y", "__operator_only__"];
pub(crate) const SOURCES: [(&str, &str); 4] = [("p", "q"), ("p", "r"), ("p:q", "r"), ("p", "q:r")];

fn matcher(random: &mut Random) -> SignalMatcher {
    match random.below(3) {
        0 => SignalMatcher::Wildcard,
        _ => SignalMatcher::ByName((*random.pick(&NAMES)).into()),
    }
}

/// Draws a condition of at most `depth` composites within each other.
pub(crate) fn condition(random: &mut Random, depth: usize) -> ResumeCondition {
    let choice = if depth == 0 {
        random.below(9)
    } else {
        random.below(20)
    };
    match choice {
        0 => ResumeCondition::OperatorOnly,
        1 => ResumeCondition::TimeoutOnly,
        2..=8 => ResumeCondition::Single {
            waitpoint_key: (*random.pick(&KEYS)).into(),
            matcher: matcher(random),
        },
        9..=13 => ResumeCondition::Composite(CompositeBody::AllOf {
            members: (0..=random.below(3))
                .map(|_| condition(random, depth - 1))
                .collect(),
        }),
        _ => {
            let count_kind = *random.pick(CountKind::ALL);
            let waitpoints: Vec<String> = (0..=random.below(4))
                .map(|_| (*random.pick(&KEYS)).to_owned())
                .collect();
            let different = waitpoints.iter().collect::<BTreeSet<_>>().len();
            ResumeCondition::Composite(CompositeBody::Count {
                n: match count_kind {
                    CountKind::DistinctWaitpoints => 1 + random.below(different) as u32,
                    _ => 1 + random.below(4) as u32,
                },
                count_kind,
                matcher: (random.below(2) == 0).then(|| matcher(random)),
                waitpoints,
            })
        }
    }
}
