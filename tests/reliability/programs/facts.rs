//! What a program waits for, and what a reader can see of it.

use model::{
    Outcome, SignalEffect, SignalId, SuspensionCloseReason, TimeoutBehavior, WaitpointCloseReason,
    WaitpointState,
};

/// What a suspension waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// One signal of this name.
    Named(&'static str, &'static str),
    /// Signals of two sources.
    TwoSources(&'static str),
    /// A signal at each.
    Both(&'static str, &'static str),
    /// An operator.
    Operator,
}

impl Condition {
    pub(super) fn keys(self) -> Vec<&'static str> {
        match self {
            Self::Named(key, _) | Self::TwoSources(key) => vec![key],
            Self::Both(one, two) => vec![one, two],
            Self::Operator => vec![],
        }
    }

    /// Returns the earliest signals that satisfy it, in their order.
    pub(super) fn satisfiers(self, received: &[&Signal]) -> Option<Vec<usize>> {
        let first = |fits: &dyn Fn(&Signal) -> bool| received.iter().find(|it| fits(it)).copied();
        let mut found = match self {
            Self::Named(key, name) => {
                vec![first(&|it: &Signal| it.key == key && it.name == name)?.at]
            }
            Self::TwoSources(key) => {
                let one = first(&|it| it.key == key)?;
                let two = first(&|it| it.key == key && it.source != one.source)?;
                vec![one.at, two.at]
            }
            Self::Both(one, two) => {
                vec![
                    first(&|it| it.key == one)?.at,
                    first(&|it| it.key == two)?.at,
                ]
            }
            Self::Operator => return None,
        };
        found.sort_unstable();
        Some(found)
    }

    /// Says what the last signal did that did not satisfy it.
    pub(super) fn effect(self, received: &[&Signal]) -> SignalEffect {
        let (new, before) = received.split_last().expect("one came");
        let helps = match self {
            Self::Operator => return SignalEffect::NoOp,
            Self::Named(..) => return SignalEffect::SignalIgnoredMatcherFailed,
            Self::TwoSources(_) => before.iter().all(|it| it.source != new.source),
            Self::Both(..) => before.iter().all(|it| it.key != new.key),
        };
        if helps {
            SignalEffect::AppendedToWaitpoint
        } else {
            SignalEffect::AppendedToWaitpointDuplicate
        }
    }
}

/// How a suspension is requested.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) condition: Condition,
    /// Whether its waitpoints must be new.
    pub(super) fresh: bool,
    pub(super) closes: bool,
    pub(super) retains: bool,
    pub(super) timeout: Option<TimeoutBehavior>,
    pub(super) name: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub(super) struct Waitpoint {
    pub(super) key: String,
    pub(super) state: WaitpointState,
    pub(super) reason: Option<WaitpointCloseReason>,
    /// Whether it expires while no suspension uses it.
    pub(super) ends: bool,
    /// The suspension it belongs to or belonged to last.
    pub(super) of: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct Signal {
    pub(super) at: usize,
    pub(super) waitpoint: usize,
    pub(super) key: String,
    pub(super) name: &'static str,
    pub(super) source: &'static str,
    pub(super) idempotency_key: Option<&'static str>,
    pub(super) effect: SignalEffect,
    pub(super) consumed: bool,
    /// As the engine named it.
    pub(super) id: SignalId,
}

#[derive(Debug, Clone)]
pub(super) struct Suspension {
    pub(super) asked: Asked,
    pub(super) replays: u32,
    pub(super) reason: Option<SuspensionCloseReason>,
    pub(super) satisfiers: Vec<usize>,
    /// Whether it was escalated at its timeout.
    pub(super) escalated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Ready,
    Active,
    Suspended,
    Done(Outcome),
}

/// What becomes of a request to suspend.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Suspends {
    /// The waitpoints it waits at, in the order of their keys.
    Yes(Vec<usize>),
    /// This suspension brings the signals.
    Satisfied(usize),
    Refused(&'static str),
}

/// What becomes of a signal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrives {
    Accepted(SignalEffect),
    Again(usize),
    Refused(&'static str),
}
