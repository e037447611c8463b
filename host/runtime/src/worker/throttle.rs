//! Says of what happens often that it happens, now and then: what a guest can bring
//! about as often as it likes must not fill a disk.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two lines of a kind.
const EVERY: Duration = Duration::from_secs(10);

/// Lines of one kind.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<(Option<Instant>, u64)>);

impl Throttle {
    /// Returns how many were left unsaid since the last line if it is time for one.
    pub(super) fn speak(&self) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, unsaid) = &mut *said;
        if last.is_some_and(|last| last.elapsed() < EVERY) {
            *unsaid += 1;
            return None;
        }
        *last = Some(Instant::now());
        Some(std::mem::take(unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_lines_of_a_kind_one_is_written() {
        let throttle = Throttle::default();
        assert_eq!(throttle.speak(), Some(0));
        let said = (0..1000).filter(|_| throttle.speak().is_some()).count();
        assert_eq!(said, 0);
        throttle.0.lock().unwrap().0 = Instant::now().checked_sub(EVERY);
        assert_eq!(throttle.speak(), Some(1000));
    }
}
