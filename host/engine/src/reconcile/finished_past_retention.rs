//! finished_past_retention: finished longer ago than it is to be kept → gone,
//! with every row it has. No event: the log says when it ended.
//!
//! The end of an execution is the hottest write there is, so it pays nothing for
//! this: an index on `finished_at` was measured to add 73 bytes of log to each,
//! nearly 5 % of a lifecycle; a block range index adds none, but loses its order
//! once space is used again. Ids are in the order of creation, so executions that have
//! no retention of their own are found by walking the primary key of `finished`
//! from the oldest id to the first that is younger than the retention; what took
//! long, or is kept longer, is passed by, and a position is remembered. Those
//! with a retention of their own are rare and have a timer from their creation
//! on.
//!
//! What is removed is unknown from then on, as if it had never been. An
//! execution stays at least as long as its idempotency key is remembered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::Partition;
use uuid::Uuid;

use super::SWEEP_MAX;
use crate::{Engine, Error};

/// Most statements of one sweep of a partition, so that a stretch of executions
/// that stay is passed quickly and still does not keep a connection for long.
const STATEMENTS_MAX: usize = 20;

/// How far this host has walked on each partition. Only a hint: another host,
/// or this one after a restart, begins anew.
#[derive(Default)]
pub(crate) struct Walks(Mutex<HashMap<Partition, Walk>>);

/// A place on the way through the ids of finished executions: first those older
/// than the retention, then those that claim to be of the future, which only a
/// caller that makes its own ids can have made.
#[derive(Clone, Copy, Default)]
struct Walk {
    after: Uuid,
    ahead: bool,
}

impl Walk {
    /// Returns the next place, and whether the way was walked to its end.
    fn next(self, last: Option<Uuid>, full: bool) -> (Self, bool) {
        match (full.then_some(last).flatten(), self.ahead) {
            (Some(after), ahead) => (Self { after, ahead }, false),
            (None, false) => {
                let ahead = Self {
                    after: Uuid::nil(),
                    ahead: true,
                };
                (ahead, false)
            }
            (None, true) => (Self::default(), true),
        }
    }
}

impl Engine {
    /// Removes executions whose retention is over; returns how many.
    pub(crate) async fn finished_past_retention(&self) -> Result<u64, Error> {
        let mut removed = 0;
        for partition in self.instance().partitions.all() {
            let mut walk = self.inner.walks.get(partition);
            for _ in 0..STATEMENTS_MAX {
                let row = sqlx::query_file!(
                    "src/reconcile/finished_past_retention.sql",
                    partition.column(),
                    walk.after,
                    walk.ahead,
                    SWEEP_MAX,
                    self.inner.retention.finished_column(),
                )
                .fetch_one(&self.inner.verbs)
                .await?;
                removed += row.removed.unsigned_abs();
                let (next, at_end) = walk.next(row.last, row.walked >= SWEEP_MAX);
                walk = next;
                if at_end && row.due < SWEEP_MAX {
                    break;
                }
            }
            self.inner.walks.set(partition, walk);
        }
        Ok(removed)
    }
}

impl Walks {
    fn get(&self, partition: Partition) -> Walk {
        let walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        walks.get(&partition).copied().unwrap_or_default()
    }

    fn set(&self, partition: Partition, walk: Walk) {
        let mut walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        walks.insert(partition, walk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_goes_on_after_the_last_id_and_ends_after_those_of_the_future() {
        let id = Uuid::from_u128(7);
        let start = Walk::default();
        let (on, at_end) = start.next(Some(id), true);
        assert!(on.after == id && !on.ahead && !at_end);
        let (ahead, at_end) = on.next(Some(id), false);
        assert!(ahead.after.is_nil() && ahead.ahead && !at_end);
        let (again, at_end) = ahead.next(None, false);
        assert!(again.after.is_nil() && !again.ahead && at_end);
    }
}
