//! Direct dispatch: an execution goes straight from its creation, or from the signal it
//! waited for, to a worker of this process that has an idle slot.
//!
//! The statement that makes the execution ready writes its lease instead of a row of
//! the queue, which saves the claim. A worker is idle while its last claim found less
//! than it asked for: every execution in the queue is then newer than that claim, or of
//! a namespace that the next probe of the queue finds, and no older work is overtaken
//! for longer than a probe and a claim take.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Claim, Claimed, Engine};

/// Begins an attempt: gets the execution with its lease, the time that lease was asked
/// for, and the slot it occupies.
pub type Begin = dyn Fn(Claimed, Instant, OwnedSemaphorePermit) + Send + Sync;

/// A worker's registration for direct dispatch, which ends when this is dropped.
pub struct DirectDispatch {
    worker: Arc<IdleWorker>,
}

/// The workers of this process that are registered.
#[derive(Clone, Default)]
pub(crate) struct IdleWorkers(Arc<Mutex<Vec<Weak<IdleWorker>>>>);

struct IdleWorker {
    slots: Arc<Semaphore>,
    begin: Box<Begin>,
    /// Absent while the worker is not idle.
    capacity: Mutex<Option<Arc<Capacity>>>,
}

/// The executions that a worker would claim.
struct Capacity {
    claim: Claim,
    lanes: HashSet<String>,
    kinds: Option<HashSet<String>>,
}

/// What a worker must serve for an execution that is about to become ready, in a lane
/// that serves.
pub(crate) struct Requirements<'a> {
    pub(crate) lane: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) capabilities: &'a BTreeSet<String>,
}

/// A slot reserved for an execution that is about to become ready.
pub(crate) struct ReservedSlot {
    worker: Arc<IdleWorker>,
    capacity: Arc<Capacity>,
    slot: OwnedSemaphorePermit,
}

impl Engine {
    /// Registers a worker with `slots` for direct dispatch; `begin` must return without
    /// waiting. Nothing is dispatched before [`DirectDispatch::open`].
    pub fn direct_dispatch(&self, slots: Arc<Semaphore>, begin: Box<Begin>) -> DirectDispatch {
        let worker = Arc::new(IdleWorker {
            slots,
            begin,
            capacity: Mutex::default(),
        });
        self.inner.idle_workers.add(&worker);
        DirectDispatch { worker }
    }
}

impl DirectDispatch {
    /// From now on dispatches what `claim` would claim.
    pub fn open(&self, claim: Claim) {
        *self.worker.capacity.lock() = Some(Arc::new(Capacity {
            lanes: claim.lanes.iter().cloned().collect(),
            kinds: claim
                .kinds
                .as_ref()
                .map(|kinds| kinds.iter().cloned().collect()),
            claim,
        }));
    }

    /// Dispatches nothing from now on. An execution whose slot was reserved just before
    /// may still begin.
    pub fn close(&self) {
        *self.worker.capacity.lock() = None;
    }
}

impl Drop for DirectDispatch {
    fn drop(&mut self) {
        self.close();
    }
}

impl Capacity {
    fn fits(&self, required: &Requirements<'_>) -> bool {
        let serves = |kinds: &HashSet<String>| kinds.contains(required.kind);
        (self.lanes.is_empty() || self.lanes.contains(required.lane))
            && self.kinds.as_ref().is_none_or(serves)
            && required.capabilities.is_subset(&self.claim.capabilities)
    }
}

impl IdleWorkers {
    fn add(&self, worker: &Arc<IdleWorker>) {
        let mut workers = self.0.lock();
        workers.retain(|worker| worker.strong_count() > 0);
        workers.push(Arc::downgrade(worker));
    }

    /// Reserves a slot for each of these executions, as far as there are any.
    pub(crate) fn reserve<'a>(
        &self,
        required: impl ExactSizeIterator<Item = Option<Requirements<'a>>>,
    ) -> Vec<Option<ReservedSlot>> {
        let open: Vec<(Arc<IdleWorker>, Arc<Capacity>)> = self
            .0
            .lock()
            .iter()
            .filter_map(|worker| {
                let worker = worker.upgrade()?;
                let capacity = worker.capacity.lock().clone()?;
                Some((worker, capacity))
            })
            .collect();
        let reserve = |required: Requirements<'_>| {
            let mut fitting = open.iter().filter(|(_, it)| it.fits(&required));
            fitting.find_map(|(worker, capacity)| {
                Some(ReservedSlot {
                    slot: worker.slots.clone().try_acquire_owned().ok()?,
                    worker: worker.clone(),
                    capacity: capacity.clone(),
                })
            })
        };
        required.map(|required| reserve(required?)).collect()
    }
}

impl ReservedSlot {
    /// Returns the worker instance that gets the execution.
    pub(crate) fn worker_instance_id(&self) -> &str {
        &self.capacity.claim.worker_instance_id
    }

    /// Returns the time to live of its lease in milliseconds.
    pub(crate) fn lease_ttl_ms(&self) -> i32 {
        self.capacity.claim.ttl_ms()
    }

    /// Dispatches the execution; its lease was asked for at `sent`.
    pub(crate) fn dispatch(self, claimed: Claimed, sent: Instant) {
        (self.worker.begin)(claimed, sent, self.slot);
    }
}
