//! What batched statements run on, and how often a write is tried whose rows others
//! change at the same time.

use std::sync::Arc;

use model::ExecutionId;

use crate::database::Pool;
use crate::dispatch::IdleWorkers;
use crate::event::Classes;
use crate::stream::KnownStreams;
use crate::wake::Wake;
use crate::{Engine, Error};

/// Tries of a write whose rows were changed between the read it was decided on and it.
pub(crate) const TRIES: u32 = 10;

/// What batched statements run on.
#[derive(Clone)]
pub(crate) struct Statements {
    pub(crate) verbs: Pool,
    pub(crate) wake: Wake,
    pub(crate) idle_workers: IdleWorkers,
    pub(crate) classes: Arc<Classes>,
    pub(crate) known_streams: Arc<KnownStreams>,
}

impl Engine {
    /// Returns what batched statements run on, for those that are not batched.
    pub(crate) fn statements(&self) -> Statements {
        Statements {
            verbs: self.inner.verbs.clone(),
            wake: self.inner.wake.clone(),
            idle_workers: self.inner.idle_workers.clone(),
            classes: self.inner.classes.clone(),
            known_streams: self.inner.known_streams.clone(),
        }
    }
}

/// Says that every try met a change of the execution by others.
pub(crate) fn conflict(id: ExecutionId) -> Error {
    Error::Unavailable(format!(
        "execution {id} was changed by others at every try; ask again"
    ))
}
