//! The way of `finished_past_retention` through the ids of a partition.

use uuid::Uuid;

/// A place on the way through the ids of finished executions: first those older than the
/// retention, then those that claim to be of the future, which only a caller that makes
/// its own ids can have made.
#[derive(Clone, Copy, Default)]
pub(in crate::reconcile) struct RetentionCursor {
    /// The last execution that was read; nil before the first.
    pub(super) after: Uuid,
    /// Whether ids of the future are read.
    pub(super) future: bool,
}

impl RetentionCursor {
    /// Returns the next place, and whether the end was reached: `last` is the last
    /// execution read, and `full` says that there may be more.
    pub(super) fn next(self, last: Option<Uuid>, full: bool) -> (Self, bool) {
        match (last.filter(|_| full), self.future) {
            (Some(after), future) => (Self { after, future }, false),
            (None, false) => {
                let future = Self {
                    after: Uuid::nil(),
                    future: true,
                };
                (future, false)
            }
            (None, true) => (Self::default(), true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_continues_after_the_last_id_and_ends_after_ids_of_the_future() {
        let id = Uuid::from_u128(7);
        let start = RetentionCursor::default();
        let (on, at_end) = start.next(Some(id), true);
        assert!(on.after == id && !on.future && !at_end);
        let (future, at_end) = on.next(Some(id), false);
        assert!(future.after.is_nil() && future.future && !at_end);
        let (again, at_end) = future.next(None, false);
        assert!(again.after.is_nil() && !again.future && at_end);
    }
}
