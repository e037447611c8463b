//! The one table of transitions: every state × every verb.
//!
//! An execution enters the active state by a claim, or by direct dispatch: where a
//! worker of the same host is idle, the statement that would make the execution ready
//! (create, and the signal or the resumption that ends a suspension) writes the lease
//! instead.
//!
//! Tests drive every pair on a real database, with and without an idle worker, and
//! the figure in ARCHITECTURE.md is printed from this table.

use crate::StateKind::{
    self, Active, Blocked, Delayed, RateLimited, Suspended, Terminal, Waiting, WaitingChildren,
};
use crate::wire::named;

named! {
    /// What can be asked of an execution.
    pub enum Verb ("verb") {
        /// A worker takes the execution under a lease.
        Claim = "claim",
        /// The holder prolongs its lease.
        Renew = "renew",
        /// The holder reports its progress.
        Progress = "progress",
        /// The holder records the result.
        Complete = "complete",
        /// The holder reports a failure.
        Fail = "fail",
        /// The holder releases the lease until a time.
        Delay = "delay",
        /// The holder releases the lease until the execution's children finished.
        WaitChildren = "wait_children",
        /// The holder releases the lease until signals satisfy a condition.
        Suspend = "suspend",
        /// The sweep finds that a delay is over.
        Promote = "promote",
        /// A caller delivers a signal.
        Signal = "signal",
        /// An operator, or the time limit of a suspension that resumes at it, ends
        /// the suspension.
        Resume = "resume",
        /// A caller or the holder ends the execution.
        Cancel = "cancel",
        /// A time limit or an operator ends the attempt or the execution.
        Expire = "expire",
        /// An operator takes the lease away.
        Revoke = "revoke",
        /// The sweep takes an expired lease back.
        Reclaim = "reclaim",
        /// An operator runs a finished execution again.
        Replay = "replay",
        /// An operator changes the execution's place in the queue.
        Prioritize = "prioritize",
        /// Admission or an operator takes the execution out of the queue.
        Block = "block",
        /// The reason to block the execution is gone.
        Unblock = "unblock",
    }
}

/// States in which an execution begins: ready, delayed by its request, or held by an
/// idle worker of the host that created it, to which it was dispatched directly.
pub const INITIAL_STATES: &[StateKind] = &[Waiting, Delayed, Active];

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
        // A suspension that buffered signals satisfy immediately keeps its lease.
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

        (Verb::Signal, Suspended) => Rule::To(&[Suspended, Waiting, Delayed, Active]),
        (Verb::Signal, Terminal) => Rule::Refused("target_not_signalable"),
        // Signals that arrive before the suspension are buffered.
        (Verb::Signal, Waiting) => Rule::To(&[Waiting]),
        (Verb::Signal, Delayed) => Rule::To(&[Delayed]),
        (Verb::Signal, RateLimited) => Rule::To(&[RateLimited]),
        (Verb::Signal, WaitingChildren) => Rule::To(&[WaitingChildren]),
        (Verb::Signal, Blocked) => Rule::To(&[Blocked]),
        (Verb::Signal, Active) => Rule::To(&[Active]),

        (Verb::Resume, Suspended) => Rule::To(&[Waiting, Delayed, Active]),
        (Verb::Resume, _) => NOT_SUSPENDED,

        (Verb::Cancel, Terminal) => NOT_ACTIVE,
        (Verb::Cancel, _) => Rule::To(&[Terminal]),

        (Verb::Expire, Terminal) => NOT_ACTIVE,
        // The retry policy decides about an attempt that ran too long.
        (Verb::Expire, Active) => Rule::To(&[Terminal, Delayed]),
        (Verb::Expire, _) => Rule::To(&[Terminal]),

        // At the reclaim cap the execution fails.
        (Verb::Reclaim | Verb::Revoke, Active) => Rule::To(&[Waiting, Terminal]),
        (Verb::Reclaim | Verb::Revoke, _) => NO_LEASE,

        (Verb::Replay, Terminal) => Rule::To(&[Waiting, WaitingChildren]),
        (Verb::Replay, _) => NOT_TERMINAL,

        (Verb::Prioritize, Terminal | Active) => NOT_ELIGIBLE,
        (Verb::Prioritize, Waiting) => Rule::To(&[Waiting]),
        (Verb::Prioritize, Delayed) => Rule::To(&[Delayed]),
        (Verb::Prioritize, RateLimited) => Rule::To(&[RateLimited]),
        (Verb::Prioritize, WaitingChildren) => Rule::To(&[WaitingChildren]),
        (Verb::Prioritize, Blocked) => Rule::To(&[Blocked]),
        (Verb::Prioritize, Suspended) => Rule::To(&[Suspended]),

        (Verb::Block, Waiting) => Rule::To(&[Blocked, RateLimited]),
        (Verb::Block, _) => NOT_ELIGIBLE,
        (Verb::Unblock, Blocked | RateLimited) => Rule::To(&[Waiting]),
        (Verb::Unblock, WaitingChildren) => Rule::To(&[Waiting]),
        (Verb::Unblock, _) => NOT_ELIGIBLE,
    }
}

/// Prints the allowed transitions as a Mermaid state diagram, one arrow for
/// each pair of states, labeled with the verbs that lead along it.
pub fn figure() -> String {
    use std::fmt::Write as _;
    let mut text = String::from("stateDiagram-v2\n");
    for to in INITIAL_STATES {
        let _ = writeln!(text, "    [*] --> {to}: create");
    }
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
    fn only_a_claim_and_a_direct_dispatch_lead_into_the_active_state() {
        let mut into = Vec::new();
        for &from in StateKind::ALL {
            for &verb in Verb::ALL {
                if let Rule::To(states) = rule(from, verb)
                    && states.contains(&Active)
                    && from != Active
                {
                    into.push((from, verb));
                }
            }
        }
        let expected = [
            (Waiting, Verb::Claim),
            (Suspended, Verb::Signal),
            (Suspended, Verb::Resume),
        ];
        assert_eq!(into, expected);
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
