//! The one table of transitions: every state × every verb.
//!
//! The engine's statements are held against it by tests on a real database,
//! and the figure in ARCHITECTURE.md is printed from it.

use crate::StateKind::{
    self, Active, Blocked, Delayed, RateLimited, Suspended, Terminal, Waiting, WaitingChildren,
};
use crate::wire::named;

named! {
    /// What can be asked of an execution.
    pub enum Verb ("verb") {
        /// A worker takes it under a lease.
        Claim = "claim",
        /// The holder keeps the lease.
        Renew = "renew",
        /// The holder says how far it is.
        Progress = "progress",
        /// The holder finishes it.
        Complete = "complete",
        /// The holder reports a failure.
        Fail = "fail",
        /// The holder puts it down until a time.
        Delay = "delay",
        /// The holder puts it down until its children finished.
        WaitChildren = "wait_children",
        /// The holder puts it down until a signal.
        Suspend = "suspend",
        /// Its time has come.
        Promote = "promote",
        /// A signal arrives that satisfies it.
        Signal = "signal",
        /// An operator wakes it.
        Resume = "resume",
        /// Someone ends it.
        Cancel = "cancel",
        /// A time limit ends it.
        Expire = "expire",
        /// An operator takes the lease away.
        Revoke = "revoke",
        /// Its lease lapsed.
        Reclaim = "reclaim",
        /// An operator runs it again.
        Replay = "replay",
        /// Someone changes its place in the queue.
        Prioritise = "prioritise",
        /// Admission or an operator takes it out of the queue.
        Block = "block",
        /// Its reason to be blocked is gone.
        Unblock = "unblock",
    }
}

/// What the table says about a verb in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Leads to one of these states, depending on data the state carries.
    To(&'static [StateKind]),
    /// Is refused with this code.
    Refused(&'static str),
}

const NOT_ACTIVE: Rule = Rule::Refused("execution_not_active");
const NOT_ELIGIBLE: Rule = Rule::Refused("execution_not_eligible");
const NOT_TERMINAL: Rule = Rule::Refused("execution_not_terminal");
const NOT_SUSPENDED: Rule = Rule::Refused("execution_not_suspended");
const NO_LEASE: Rule = Rule::Refused("no_active_lease");

/// Returns what `verb` does to an execution in state `from`.
pub const fn rule(from: StateKind, verb: Verb) -> Rule {
    match (verb, from) {
        (Verb::Claim, Waiting) => Rule::To(&[Active]),
        (Verb::Claim, _) => NOT_ELIGIBLE,

        (Verb::Renew | Verb::Progress, Active) => Rule::To(&[Active]),
        (Verb::Complete, Active) => Rule::To(&[Terminal]),
        (Verb::Fail, Active) => Rule::To(&[Delayed, Terminal]),
        (Verb::Delay, Active) => Rule::To(&[Delayed]),
        (Verb::WaitChildren, Active) => Rule::To(&[WaitingChildren, Waiting]),
        // A suspension that buffered signals satisfy at once keeps its lease.
        (Verb::Suspend, Active) => Rule::To(&[Suspended, Active]),
        (
            Verb::Renew
            | Verb::Progress
            | Verb::Complete
            | Verb::Fail
            | Verb::Delay
            | Verb::WaitChildren
            | Verb::Suspend,
            _,
        ) => NOT_ACTIVE,

        (Verb::Promote, Delayed) => Rule::To(&[Waiting]),
        (Verb::Promote, _) => NOT_ELIGIBLE,

        (Verb::Signal, Suspended) => Rule::To(&[Suspended, Waiting, Delayed]),
        (Verb::Signal, Terminal) => Rule::Refused("target_not_signalable"),
        // Signals that arrive before the suspension are buffered.
        (Verb::Signal, Waiting) => Rule::To(&[Waiting]),
        (Verb::Signal, Delayed) => Rule::To(&[Delayed]),
        (Verb::Signal, RateLimited) => Rule::To(&[RateLimited]),
        (Verb::Signal, WaitingChildren) => Rule::To(&[WaitingChildren]),
        (Verb::Signal, Blocked) => Rule::To(&[Blocked]),
        (Verb::Signal, Active) => Rule::To(&[Active]),

        (Verb::Resume, Suspended) => Rule::To(&[Waiting, Delayed]),
        (Verb::Resume, _) => NOT_SUSPENDED,

        (Verb::Cancel, Terminal) => NOT_ACTIVE,
        (Verb::Cancel, _) => Rule::To(&[Terminal]),

        (Verb::Expire, Terminal) => NOT_ACTIVE,
        // An attempt that ran too long goes to the retry policy.
        (Verb::Expire, Active) => Rule::To(&[Terminal, Delayed]),
        (Verb::Expire, _) => Rule::To(&[Terminal]),

        // At the reclaim cap the execution fails.
        (Verb::Reclaim | Verb::Revoke, Active) => Rule::To(&[Waiting, Terminal]),
        (Verb::Reclaim | Verb::Revoke, _) => NO_LEASE,

        (Verb::Replay, Terminal) => Rule::To(&[Waiting, WaitingChildren]),
        (Verb::Replay, _) => NOT_TERMINAL,

        (Verb::Prioritise, Terminal | Active) => NOT_ELIGIBLE,
        (Verb::Prioritise, Waiting) => Rule::To(&[Waiting]),
        (Verb::Prioritise, Delayed) => Rule::To(&[Delayed]),
        (Verb::Prioritise, RateLimited) => Rule::To(&[RateLimited]),
        (Verb::Prioritise, WaitingChildren) => Rule::To(&[WaitingChildren]),
        (Verb::Prioritise, Blocked) => Rule::To(&[Blocked]),
        (Verb::Prioritise, Suspended) => Rule::To(&[Suspended]),

        (Verb::Block, Waiting) => Rule::To(&[Blocked, RateLimited]),
        (Verb::Block, _) => NOT_ELIGIBLE,
        (Verb::Unblock, Blocked | RateLimited) => Rule::To(&[Waiting]),
        (Verb::Unblock, WaitingChildren) => Rule::To(&[Waiting]),
        (Verb::Unblock, _) => NOT_ELIGIBLE,
    }
}

/// Prints the allowed transitions as a Mermaid state diagram, one arrow for
/// each pair of states, labelled with the verbs that lead along it.
pub fn figure() -> String {
    use std::fmt::Write as _;
    let mut text =
        String::from("stateDiagram-v2\n    [*] --> waiting: create\n    [*] --> delayed: create\n");
    for &from in StateKind::ALL {
        for &to in StateKind::ALL {
            let verbs: Vec<_> = Verb::ALL
                .iter()
                .filter(
                    |&&verb| matches!(rule(from, verb), Rule::To(states) if states.contains(&to)),
                )
                .map(|verb| verb.as_str())
                .collect();
            if from != to && !verbs.is_empty() {
                let _ = writeln!(text, "    {from} --> {to}: {}", verbs.join(", "));
            }
        }
    }
    text.push_str("    terminal --> [*]\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replay_leaves_the_terminal_state() {
        for &verb in Verb::ALL {
            let allowed = matches!(rule(Terminal, verb), Rule::To(_));
            assert_eq!(allowed, verb == Verb::Replay, "{verb}");
        }
    }

    #[test]
    fn only_a_claim_leads_into_the_active_state() {
        for &from in StateKind::ALL {
            for &verb in Verb::ALL {
                if let Rule::To(states) = rule(from, verb)
                    && states.contains(&Active)
                    && from != Active
                {
                    assert_eq!((from, verb), (Waiting, Verb::Claim));
                }
            }
        }
    }

    #[test]
    fn every_state_can_reach_the_end() {
        for &from in StateKind::ALL {
            let ends =
                matches!(rule(from, Verb::Cancel), Rule::To(states) if states.contains(&Terminal));
            assert!(ends || from == Terminal, "{from}");
        }
    }
}
