//! Rehearsals: what a verb would do, found by doing it where nothing lasts.
//!
//! A rehearsal is an engine of its own on one connection that began a transaction when it
//! was opened and never commits: the verb runs as it always does, with its own statements
//! and its own probes, sees what it wrote, and is undone when the connection closes. So
//! its answer is that of the verb, and no rule is written twice.
//!
//! Nothing outside the database learns of it: it has no idle workers to dispatch to, wakes no
//! task, has caches of its own, and the tokens that it mints are void. Until it ends it holds
//! the locks that the verb takes, as a slow call of the verb would.

use std::time::Duration;

use crate::Engine;
use crate::database::{Liveness, Pool, Session};
use crate::engine::Parts;
use crate::tasks::Tasks;
use crate::wake::Wake;

/// Longest a statement of a rehearsal may take: it holds the locks of those before it.
const BOUND: Duration = Duration::from_secs(5);

impl Engine {
    /// Begins a rehearsal: an engine whose writes last until it is closed or dropped, and
    /// are seen by it alone. It opens its connection at its first statement.
    pub fn rehearse(&self) -> Self {
        let (tasks, liveness) = (Tasks::default(), Liveness::new());
        let options = self.inner.verbs.connect_options().clone();
        let connection = Pool::new(1, BOUND, options, Session::rehearsing(), &liveness);
        let wake = Wake::start(None, &tasks, &liveness);
        Self::assemble(Parts {
            instance: self.inner.instance,
            limits: self.inner.limits,
            retention: self.inner.retention,
            verbs: connection.clone(),
            reads: connection,
            wake,
            tasks,
            liveness,
            secrets: self.inner.waitpoint_keys.secrets().ok().cloned(),
            rehearses: true,
        })
    }
}
