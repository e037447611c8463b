//! Which waiting sandbox is served next: decides on what is used and what waits, and
//! waits for nothing itself. [`budget`](super::budget) describes the rules.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::GrowthRefusal;
use super::reservation::ReservationState;
use super::resources::{Resources, SMALL_MAX, Shares};

/// What is used of the budget, and which sandboxes wait for a part of it.
#[derive(Debug)]
pub(super) struct AdmissionQueue {
    pub(super) used: Shares,
    pub(super) last_number: u64,
    /// Sandboxes that are stopped because the budget is exhausted, and not closed yet.
    pub(super) stopping: u64,
    /// What a sandbox was opened with, as a moving average.
    pub(super) typical: Resources,
    pub(super) small_openings: VecDeque<WaitingOpening>,
    pub(super) big_openings: VecDeque<WaitingOpening>,
    /// In the order in which the sandboxes were opened.
    pub(super) growths: Vec<WaitingGrowth>,
}

/// A sandbox that waits to be opened.
#[derive(Debug)]
pub(super) struct WaitingOpening {
    /// Identifies this entry; the reservation gets another number.
    pub(super) ticket: u64,
    pub(super) resources: Resources,
    /// Receives the number of the reservation.
    pub(super) granted: oneshot::Sender<u64>,
}

/// A sandbox that waits to grow.
#[derive(Debug)]
pub(super) struct WaitingGrowth {
    /// The number of its reservation.
    pub(super) number: u64,
    pub(super) opened_with: Resources,
    pub(super) state: Arc<ReservationState>,
    pub(super) more: u64,
    pub(super) answer: oneshot::Sender<Result<(), GrowthRefusal>>,
}

impl WaitingGrowth {
    fn before(&self) -> Shares {
        self.opened_with.with_bytes(self.state.bytes()).shares()
    }

    pub(super) fn after(&self) -> Shares {
        self.opened_with.with_bytes(self.bytes_after()).shares()
    }

    fn bytes_after(&self) -> u64 {
        self.state.bytes().saturating_add(self.more)
    }
}

impl AdmissionQueue {
    pub(super) fn new() -> Self {
        Self {
            used: Shares::NONE,
            last_number: 0,
            stopping: 0,
            typical: SMALL_MAX,
            small_openings: VecDeque::new(),
            big_openings: VecDeque::new(),
            growths: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.growths.is_empty() && self.small_openings.is_empty() && self.big_openings.is_empty()
    }

    /// Returns the sandboxes that wait to be opened, small ones or big ones.
    pub(super) fn openings(&mut self, is_big: bool) -> &mut VecDeque<WaitingOpening> {
        if is_big {
            &mut self.big_openings
        } else {
            &mut self.small_openings
        }
    }

    /// Admits a sandbox if no other of its size waits and its resources are free;
    /// returns the number of its reservation.
    pub(super) fn try_admit(&mut self, total: &Resources, resources: Resources) -> Option<u64> {
        let shares = resources.shares();
        if !self.openings(shares.is_big()).is_empty() || !self.may_open(total, &shares) {
            return None;
        }
        Some(self.admit(resources, &shares))
    }

    fn admit(&mut self, resources: Resources, shares: &Shares) -> u64 {
        self.used = self.used.plus(*shares);
        self.typical = self.typical.each(resources, |old, new| (old * 7 + new) / 8);
        self.last_number += 1;
        self.last_number
    }

    /// Whether `after` fits in the place of `before`.
    pub(super) fn fits(&self, total: &Resources, before: &Shares, after: &Shares) -> bool {
        let used = self.used.plus(*after).minus(*before);
        let big_fits = after
            .big
            .0
            .iter()
            .zip(used.big.0)
            .zip(total.quarters(3).0)
            .all(|((wanted, big), max)| *wanted == 0 || big <= max);
        big_fits && used.sum().within(*total)
    }

    /// Whether a sandbox with such shares may be opened now.
    fn may_open(&self, total: &Resources, shares: &Shares) -> bool {
        if !self.fits(total, &Shares::NONE, shares) {
            return false;
        }
        if shares.is_big() {
            return self.growths.is_empty();
        }
        // One small sandbox is always within the quarter, also where a quarter is less.
        let quarter = total.quarters(1).each(SMALL_MAX, u64::max);
        (self.big_openings.is_empty() && self.growths.is_empty())
            || self.used.small.plus(shares.small).within(quarter)
    }

    /// Whether a small sandbox waits because bytes are missing.
    pub(super) fn lacks_small_bytes(&self, total: &Resources) -> bool {
        let free = total.bytes().saturating_sub(self.used.sum().bytes());
        let opening = self.small_openings.front().map(|it| it.resources.bytes());
        let growth = self.growths.iter().filter(|it| !it.after().is_big());
        growth
            .map(|it| it.more)
            .chain(opening)
            .any(|wanted| wanted > free)
    }

    pub(super) fn grant_growths(&mut self, total: &Resources) {
        let mut at = 0;
        while at < self.growths.len() {
            let (before, after) = (self.growths[at].before(), self.growths[at].after());
            if !self.fits(total, &before, &after) {
                at += 1;
                continue;
            }
            self.used = self.used.plus(after).minus(before);
            let growth = self.growths.remove(at);
            growth.state.set_bytes(growth.bytes_after());
            // A waiter that left meanwhile returns what it finds granted.
            let _ = growth.answer.send(Ok(()));
        }
    }

    pub(super) fn grant_openings(&mut self, total: &Resources) {
        // The big one first: small ones pass it only within their quarter.
        for is_big in [true, false] {
            while let Some(resources) = self.openings(is_big).front().map(|it| it.resources) {
                let shares = resources.shares();
                if !self.may_open(total, &shares) {
                    break;
                }
                let number = self.admit(resources, &shares);
                if let Some(opening) = self.openings(is_big).pop_front() {
                    // A waiter that left meanwhile returns what it finds granted.
                    let _ = opening.granted.send(number);
                }
            }
        }
    }
}
