//! Limits how often a warning is logged that guests can cause as often as they like, so
//! that they cannot fill a disk.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Time between two lines of a kind.
const EVERY: Duration = Duration::from_secs(10);

/// The lines of one kind.
#[derive(Debug, Default)]
pub(super) struct LogThrottle(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    last: Option<Instant>,
    suppressed: u64,
}

impl LogThrottle {
    /// Returns how many lines were suppressed since the last one, if another may be
    /// logged now.
    pub(super) fn allow(&self) -> Option<u64> {
        let mut lines = self.0.lock();
        if lines.last.is_some_and(|last| last.elapsed() < EVERY) {
            lines.suppressed += 1;
            return None;
        }
        lines.last = Some(Instant::now());
        Some(std::mem::take(&mut lines.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_lines_of_a_kind_is_logged() {
        let throttle = LogThrottle::default();
        assert_eq!(throttle.allow(), Some(0));
        let allowed = (0..1000).filter(|_| throttle.allow().is_some()).count();
        assert_eq!(allowed, 0);
        throttle.0.lock().last = Instant::now().checked_sub(EVERY);
        assert_eq!(throttle.allow(), Some(1000));
    }
}
