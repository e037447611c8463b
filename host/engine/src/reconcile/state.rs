//! What this host remembers from one sweep to the next.

use std::collections::HashMap;

use model::Partition;
use parking_lot::Mutex;
use uuid::Uuid;

use super::retention::RetentionCursor;
use super::stats::SweepStats;

/// What each sweep did, and where those begin that do not reach the end in one run.
#[derive(Default)]
pub(crate) struct SweepState {
    pub(super) stats: SweepStats,
    pub(super) retention_cursors: Cursors<RetentionCursor>,
    /// By partition, the last blocked execution that was read.
    pub(super) blocked_routes_cursors: Cursors<Uuid>,
    /// The last class of executions that was looked at.
    pub(super) unused_classes_cursor: Mutex<i32>,
}

/// The place on each partition after which the next run begins. Only a hint: another
/// host, or this one after a restart, begins at the start.
#[derive(Default)]
pub(super) struct Cursors<T>(Mutex<HashMap<Partition, T>>);

impl<T: Copy + Default> Cursors<T> {
    pub(super) fn get(&self, partition: Partition) -> T {
        self.0.lock().get(&partition).copied().unwrap_or_default()
    }

    pub(super) fn set(&self, partition: Partition, after: T) {
        self.0.lock().insert(partition, after);
    }
}
