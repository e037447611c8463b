//! Hand-off: an execution goes straight from its creation, or from the signal it
//! waited for, to a worker of this process that stands by with a free slot.
//!
//! The statement that makes it ready writes the lease instead of a row of the queue,
//! which saves the claim. A worker stands by while its last claim found less than it
//! asked for: whatever the queue holds is then newer than that claim, or of a
//! namespace that the next look finds, and no older work is overtaken for longer
//! than a look and a claim take.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Engine;
use crate::lease::{Claim, Claimed};

/// Gets an execution with its lease, when that lease was asked for, and the
/// slot it occupies.
pub type Begin = dyn Fn(Claimed, Instant, OwnedSemaphorePermit) + Send + Sync;

/// A worker that takes executions as they become ready; it takes no more once this
/// is dropped.
pub struct Standby {
    place: Arc<Place>,
}

/// The workers of this process that stand by.
#[derive(Clone, Default)]
pub(crate) struct Standbys(Arc<Mutex<Vec<Weak<Place>>>>);

struct Place {
    slots: Arc<Semaphore>,
    begin: Box<Begin>,
    offer: Mutex<Option<Arc<Offer>>>,
}

/// What a worker takes.
struct Offer {
    claim: Claim,
    lanes: HashSet<String>,
    kinds: Option<HashSet<String>>,
}

/// What a worker must offer for an execution that is about to become ready, in a lane
/// that serves.
pub(crate) struct Needs<'a> {
    pub(crate) lane: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) capabilities: &'a BTreeSet<String>,
}

/// A slot taken for an execution that is about to become ready.
pub(crate) struct Seat {
    place: Arc<Place>,
    offer: Arc<Offer>,
    slot: OwnedSemaphorePermit,
}

impl Engine {
    /// Lets a worker stand by with `slots`; `begin` must return at once. It takes
    /// nothing before [`Standby::open`].
    pub fn stand_by(&self, slots: Arc<Semaphore>, begin: Box<Begin>) -> Standby {
        let place = Arc::new(Place {
            slots,
            begin,
            offer: Mutex::default(),
        });
        self.inner.standbys.add(&place);
        Standby { place }
    }
}

impl Standby {
    /// Takes from now on what `claim` would claim.
    pub fn open(&self, claim: Claim) {
        self.place.set(Some(Offer {
            lanes: claim.lanes.iter().cloned().collect(),
            kinds: claim
                .kinds
                .as_ref()
                .map(|kinds| kinds.iter().cloned().collect()),
            claim,
        }));
    }

    /// Takes nothing any more. What was taken just before may still begin.
    pub fn close(&self) {
        self.place.set(None);
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.close();
    }
}

impl Place {
    fn set(&self, offer: Option<Offer>) {
        *self.offer.lock().unwrap_or_else(PoisonError::into_inner) = offer.map(Arc::new);
    }

    fn offer(&self) -> Option<Arc<Offer>> {
        self.offer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Offer {
    fn fits(&self, needs: &Needs<'_>) -> bool {
        (self.lanes.is_empty() || self.lanes.contains(needs.lane))
            && self
                .kinds
                .as_ref()
                .is_none_or(|kinds| kinds.contains(needs.kind))
            && needs.capabilities.is_subset(&self.claim.capabilities)
    }
}

impl Standbys {
    fn add(&self, place: &Arc<Place>) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|place| place.strong_count() > 0);
        places.push(Arc::downgrade(place));
    }

    /// Finds a seat for each of these, as far as there are any.
    pub(crate) fn seats<'a>(
        &self,
        needs: impl ExactSizeIterator<Item = Option<Needs<'a>>>,
    ) -> Vec<Option<Seat>> {
        let open: Vec<(Arc<Place>, Arc<Offer>)> = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter_map(|place| {
                let place = place.upgrade()?;
                let offer = place.offer()?;
                Some((place, offer))
            })
            .collect();
        needs
            .map(|needs| {
                let needs = needs?;
                open.iter()
                    .filter(|(_, offer)| offer.fits(&needs))
                    .find_map(|(place, offer)| {
                        Some(Seat {
                            slot: Arc::clone(&place.slots).try_acquire_owned().ok()?,
                            place: Arc::clone(place),
                            offer: Arc::clone(offer),
                        })
                    })
            })
            .collect()
    }
}

impl Seat {
    /// Returns who takes the execution.
    pub(crate) fn worker_instance_id(&self) -> &str {
        &self.offer.claim.worker_instance_id
    }

    /// Returns the life of its lease in milliseconds.
    pub(crate) fn lease_ttl_ms(&self) -> i32 {
        self.offer.claim.ttl_ms()
    }

    /// Hands the execution over; its lease was asked for at `sent`.
    pub(crate) fn take(self, claimed: Claimed, sent: Instant) {
        (self.place.begin)(claimed, sent, self.slot);
    }
}
