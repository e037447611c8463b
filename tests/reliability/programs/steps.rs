//! The steps of a program, drawn at random.

use engine::{Binding, Suspend, SuspensionTimeout};
use model::{Fence, ResumeCondition, ResumePolicy, TimeoutBehavior};
use testkit::Random;

use super::expected::Expected;
use super::facts::{Asked, Condition, Place};
use crate::support::waiting::{self, single, sources};

pub(super) const KEYS: [&str; 2] = ["a", "b"];
const NAMES: [&str; 2] = ["x", "y"];
const SOURCES: [&str; 2] = ["p", "q"];

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Claim,
    Create(&'static str),
    Suspend(Asked),
    /// To the waitpoint with this number, by its token.
    Signal(usize, &'static str, &'static str, Option<&'static str>),
    /// To the waitpoint with this key, by an operator.
    Operator(&'static str, &'static str, &'static str),
    Close(&'static str),
    Resume,
    TimeOut,
    Expire,
    Cancel,
    LoseLease,
    Complete,
    Replay,
}

impl Step {
    /// Draws a step, more often one that leads on.
    pub(super) fn draw(random: &mut Random, expected: &Expected) -> Self {
        let key = random.pick(&KEYS);
        let (name, source) = (*random.pick(&NAMES), *random.pick(&SOURCES));
        match random.below(40) {
            0..=15 => match expected.place {
                Place::Ready => Self::Claim,
                Place::Active if random.below(3) == 0 => Self::Create(key),
                Place::Active => Self::Suspend(asked(random)),
                Place::Suspended => Self::signal(random, expected),
                Place::Done(_) => Self::Replay,
            },
            16..=24 => Self::signal(random, expected),
            25 | 26 => Self::Operator(key, name, source),
            27 | 28 => Self::Create(key),
            29 => Self::Suspend(asked(random)),
            30 | 31 => Self::Close(key),
            32 => Self::Resume,
            33 | 34 => Self::TimeOut,
            35 => Self::Expire,
            36 => Self::LoseLease,
            37 => Self::Claim,
            38 => Self::Complete,
            _ => *random.pick(&[Self::Cancel, Self::Replay]),
        }
    }

    fn signal(random: &mut Random, expected: &Expected) -> Self {
        let key = *random.pick(&KEYS);
        let (name, source) = (*random.pick(&NAMES), *random.pick(&SOURCES));
        match expected.waitpoints.len() {
            0 => Self::Operator(key, name, source),
            waitpoints => {
                // The last ones are more likely to be open.
                let back = random.below(waitpoints).min(random.below(waitpoints));
                let keys = [None, None, None, Some("k")];
                Self::Signal(waitpoints - 1 - back, name, source, *random.pick(&keys))
            }
        }
    }
}

fn asked(random: &mut Random) -> Asked {
    let (key, name) = (random.pick(&KEYS), *random.pick(&NAMES));
    let behaviors = TimeoutBehavior::ALL;
    Asked {
        condition: *random.pick(&[
            Condition::Named(key, name),
            Condition::TwoSources(key),
            Condition::Both("a", "b"),
            Condition::Operator,
        ]),
        fresh: random.below(6) == 0,
        closes: random.below(2) == 0,
        retains: random.below(2) == 0,
        timeout: (random.below(2) == 0).then(|| *random.pick(behaviors)),
        name: (random.below(6) == 0).then_some("once"),
    }
}

pub(super) fn suspend(fence: Fence, asked: Asked) -> Suspend {
    let condition = match asked.condition {
        Condition::Named(key, name) => single(key, name),
        Condition::TwoSources(key) => sources(key, 2),
        Condition::Both(one, two) => ResumeCondition::all_of_waitpoints([one, two]),
        Condition::Operator => ResumeCondition::OperatorOnly,
    };
    let fresh = asked
        .condition
        .keys()
        .into_iter()
        .map(|key| Binding::Fresh {
            key: key.to_owned(),
            signal_names: Vec::new(),
        });
    Suspend {
        waitpoints: if asked.fresh { fresh.collect() } else { vec![] },
        resume_policy: ResumePolicy {
            close_waitpoint_on_resume: asked.closes,
            retain_signal_buffer_until_closed: asked.retains,
            ..ResumePolicy::default()
        },
        timeout: asked.timeout.map(|_| SuspensionTimeout::InMs(3_600_000)),
        timeout_behavior: asked.timeout,
        idempotency_key: asked.name.map(str::to_owned),
        ..waiting::suspend(fence, condition)
    }
}
