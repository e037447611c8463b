//! Which executions other hosts wait for, so that they alone are told of an end.
//!
//! A host that ends an execution does not know who waits for it elsewhere, and telling
//! all hosts of every end would cost each of them as much as the ends do. So a host whose
//! wait has lasted for a while names the execution, again with every probe of its own;
//! the others remember the name for [`REMEMBERED`]. A hint like every wake-up.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use model::ExecutionId;
use parking_lot::Mutex;

/// How long a host is told of an end after it has named the execution; longer than the
/// longest pause between two probes.
const REMEMBERED: Duration = Duration::from_secs(5);
/// Most executions that are remembered; others are found by probes alone.
const EXECUTIONS_MAX: usize = 64 * 1024;

/// Executions that other hosts wait for, and when that was said last.
#[derive(Default)]
pub(super) struct Elsewhere(Mutex<HashMap<ExecutionId, Instant>>);

impl Elsewhere {
    /// Remembers that another host, or this one, waits for these.
    pub(super) fn add(&self, ids: impl Iterator<Item = ExecutionId>) {
        let mut awaited = self.0.lock();
        let now = Instant::now();
        if awaited.len() >= EXECUTIONS_MAX {
            awaited.retain(|_, said| now.duration_since(*said) < REMEMBERED);
        }
        for id in ids {
            if awaited.len() < EXECUTIONS_MAX || awaited.contains_key(&id) {
                awaited.insert(id, now);
            }
        }
    }

    /// Returns those of these that are waited for.
    pub(super) fn among(&self, ids: impl Iterator<Item = ExecutionId>) -> Vec<ExecutionId> {
        let awaited = self.0.lock();
        if awaited.is_empty() {
            return Vec::new();
        }
        ids.filter(|id| {
            let said = awaited.get(id);
            said.is_some_and(|said| said.elapsed() < REMEMBERED)
        })
        .collect()
    }

    /// Forgets these, and returns those that are waited for.
    pub(super) fn take(&self, ids: impl Iterator<Item = ExecutionId>) -> Vec<ExecutionId> {
        let mut awaited = self.0.lock();
        if awaited.is_empty() {
            return Vec::new();
        }
        ids.filter(|id| {
            let said = awaited.remove(id);
            said.is_some_and(|said| said.elapsed() < REMEMBERED)
        })
        .collect()
    }
}
