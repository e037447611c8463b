//! The tables and labels in which executions of some public states are.

use model::{Outcome, PublicState, StateKind};

use super::ListFilter;

/// Where to look for executions in states that a filter names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StateTables {
    /// Whether some are in `lease`.
    pub(super) active: bool,
    /// Whether some are in `ready`.
    pub(super) ready: bool,
    /// With which states in `parked`.
    pub(super) parked: Vec<String>,
    /// With which outcomes in `finished`.
    pub(super) outcomes: Vec<String>,
}

/// The states of finished executions.
const FINISHED: [PublicState; 5] = [
    PublicState::Completed,
    PublicState::Failed,
    PublicState::Cancelled,
    PublicState::Expired,
    PublicState::Skipped,
];

impl StateTables {
    /// Returns where the executions are that a filter admits; `None` if it admits them in
    /// every state.
    pub(super) fn of(filter: &ListFilter) -> Option<Self> {
        let ended = !filter.finished.is_open();
        let mut states = match (filter.states.is_empty(), ended) {
            (true, false) => return None,
            (true, true) => FINISHED.to_vec(),
            (false, _) => filter.states.clone(),
        };
        states.retain(|state| !ended || state.is_terminal());
        states.sort_unstable_by_key(|state| state.as_str());
        states.dedup();
        let mut tables = Self::default();
        for state in states {
            tables.add(state);
        }
        Some(tables)
    }

    fn add(&mut self, state: PublicState) {
        let parked = match state {
            PublicState::Waiting => {
                self.ready = true;
                StateKind::Blocked
            }
            PublicState::Delayed => StateKind::Delayed,
            PublicState::RateLimited => StateKind::RateLimited,
            PublicState::WaitingChildren => StateKind::WaitingChildren,
            PublicState::Suspended => StateKind::Suspended,
            PublicState::Active => {
                self.active = true;
                return;
            }
            // No execution is in it.
            PublicState::Resumable => return,
            PublicState::Completed => return self.end(Outcome::Success),
            PublicState::Failed => return self.end(Outcome::Failed),
            PublicState::Cancelled => return self.end(Outcome::Cancelled),
            PublicState::Expired => return self.end(Outcome::Expired),
            PublicState::Skipped => return self.end(Outcome::Skipped),
        };
        self.parked.push(parked.as_str().to_owned());
    }

    fn end(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome.as_str().to_owned());
    }

    /// Returns whether completed executions are among them, and the other outcomes: those
    /// have an index.
    pub(super) fn completed_or(&self) -> (bool, Vec<String>) {
        let (completed, other) = self
            .outcomes
            .iter()
            .cloned()
            .partition::<Vec<_>, _>(|outcome| outcome == Outcome::Success.as_str());
        (!completed.is_empty(), other)
    }
}

#[cfg(test)]
mod tests {
    use super::super::TimeRange;
    use super::*;

    fn tables(states: &[PublicState], finished: TimeRange) -> Option<StateTables> {
        StateTables::of(&ListFilter {
            states: states.to_vec(),
            finished,
            ..Default::default()
        })
    }

    #[test]
    fn a_state_is_looked_for_where_its_executions_are() {
        let any = TimeRange::default();
        assert_eq!(tables(&[], any), None);
        let waiting = StateTables {
            ready: true,
            parked: vec!["blocked".into()],
            ..Default::default()
        };
        let twice = [PublicState::Waiting, PublicState::Waiting];
        assert_eq!(tables(&twice, any), Some(waiting));
        let mixed = [
            PublicState::Suspended,
            PublicState::Completed,
            PublicState::Failed,
            PublicState::Active,
        ];
        let found = tables(&mixed, any).expect("some");
        assert_eq!((found.active, found.ready), (true, false));
        assert_eq!(found.parked, ["suspended"]);
        assert_eq!(found.completed_or(), (true, vec!["failed".into()]));
        let since = TimeRange {
            from: Some("2026-01-01T00:00:00Z".parse().expect("a time")),
            before: None,
        };
        let ended = tables(&mixed, since).expect("some");
        assert_eq!((ended.active, ended.parked.len()), (false, 0));
        assert_eq!(tables(&[], since).expect("some").outcomes.len(), 5);
        let none = tables(&[PublicState::Resumable], any);
        assert_eq!(none, Some(StateTables::default()));
    }
}
