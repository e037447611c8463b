//! Components that could not be loaded, and when they are tried again.
//!
//! A refusal by the compiler is final. Every other failure may be caused by the host, so
//! the component is tried again: later each time, and within an hour at most.

use std::collections::HashMap;
use std::mem::discriminant;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use engine::pauses;
use model::Digest;

use super::LoadError;

/// Most components remembered, each kind by itself.
const REMEMBERED_MAX: usize = 1024;

/// Pauses after faults of the host or the database.
const FAULT_PAUSES: ExponentialBuilder = pauses(Duration::from_secs(1), Duration::from_secs(30));
/// Pauses after compiling took more than this host gives, since trying again costs as much.
const EXCESS_PAUSES: ExponentialBuilder =
    pauses(Duration::from_secs(60), Duration::from_secs(3600));

/// Components that could not be loaded.
#[derive(Default)]
pub(super) struct LoadFailures(HashMap<Digest, LoadFailure>);

struct LoadFailure {
    error: LoadError,
    /// The pauses that follow; absent if the component is not tried again.
    pauses: Option<ExponentialBackoff>,
    until: Option<Instant>,
}

impl LoadFailures {
    /// Remembers that a component could not be loaded; returns after what time it
    /// is tried again, if it is.
    pub(super) fn note(&mut self, digest: Digest, error: &LoadError) -> Option<Duration> {
        let builder = match error {
            LoadError::Rejected(_) => None,
            LoadError::Refused(_) => Some(EXCESS_PAUSES),
            LoadError::Unavailable(..) => Some(FAULT_PAUSES),
        };
        // Pauses keep growing while the component fails in the same way.
        let last = self.0.remove(&digest);
        let last = last.filter(|last| discriminant(&last.error) == discriminant(error));
        let mut pauses = match last {
            Some(last) => last.pauses,
            None => builder.map(|builder| builder.build()),
        };
        let pause = pauses.as_mut().and_then(Iterator::next);
        if self.0.len() >= REMEMBERED_MAX {
            self.forget_one();
        }
        self.0.insert(
            digest,
            LoadFailure {
                error: error.clone(),
                pauses,
                until: pause.map(|pause| Instant::now() + pause),
            },
        );
        pause
    }

    /// Forgets what was wrong with a component.
    pub(super) fn clear(&mut self, digest: &Digest) {
        self.0.remove(digest);
    }

    /// Returns what is wrong with a component as long as it is not tried again.
    pub(super) fn current(&self, digest: &Digest) -> Option<&LoadError> {
        let failure = self.0.get(digest)?;
        let stands = failure.until.is_none_or(|until| Instant::now() < until);
        stands.then_some(&failure.error)
    }

    /// Removes the failure that is tried again soonest, or else any.
    fn forget_one(&mut self) {
        let soonest = self
            .0
            .iter()
            .min_by_key(|(_, failure)| (failure.until.is_none(), failure.until));
        if let Some(digest) = soonest.map(|(digest, _)| *digest) {
            self.0.remove(&digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::inspect::PublishRefusal;

    const ONE: Digest = Digest([1; 32]);

    #[test]
    fn only_a_rejection_is_remembered_for_ever() {
        let mut failures = LoadFailures::default();
        let rejected = LoadError::Rejected(PublishRefusal::TwoWorlds);
        assert_eq!(failures.note(ONE, &rejected), None);
        assert!(matches!(
            failures.current(&ONE),
            Some(LoadError::Rejected(_))
        ));
        let fault = LoadError::Unavailable(ONE, "killed".into());
        let pauses: Vec<_> = (0..8)
            .filter_map(|_| failures.note(ONE, &fault))
            .map(|pause| pause.as_secs())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
        failures.clear(&ONE);
        assert!(failures.current(&ONE).is_none());
        let excess = LoadError::Refused(PublishRefusal::TwoWorlds);
        assert_eq!(failures.note(ONE, &excess), Some(Duration::from_secs(60)));
    }

    #[test]
    fn the_number_of_remembered_failures_is_bounded() {
        let mut failures = LoadFailures::default();
        for n in 0..2 * REMEMBERED_MAX {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_le_bytes());
            let fault = LoadError::Unavailable(ONE, String::new());
            failures.note(Digest(bytes), &fault);
        }
        assert_eq!(failures.0.len(), REMEMBERED_MAX);
    }
}
