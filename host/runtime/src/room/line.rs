//! Who is served next: decides on what is used and what waits, and waits for nothing
//! itself. The rules are told in `shared.rs`.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::parts::{Parts, SMALL, Shares};
use super::seat::{Held, NoRoom};

/// What is used, and what waits.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) used: Shares,
    pub(super) number: u64,
    /// Sandboxes that stop for want of room, and are not closed yet.
    pub(super) leaving: u64,
    /// What one took when it was opened, lately.
    pub(super) typical: Parts,
    pub(super) small_openings: VecDeque<Opening>,
    pub(super) big_openings: VecDeque<Opening>,
    /// The oldest sandbox first.
    pub(super) growths: Vec<Growth>,
}

/// A sandbox that waits to be opened.
#[derive(Debug)]
pub(super) struct Opening {
    /// Its place in the line, which is not that of its sandbox.
    pub(super) ticket: u64,
    pub(super) parts: Parts,
    /// Gets the number of the sandbox.
    pub(super) granted: oneshot::Sender<u64>,
}

/// A sandbox that waits to grow.
#[derive(Debug)]
pub(super) struct Growth {
    pub(super) sandbox: u64,
    pub(super) parts: Parts,
    pub(super) held: Arc<Held>,
    pub(super) more: u64,
    pub(super) answer: oneshot::Sender<Result<(), NoRoom>>,
}

impl Growth {
    pub(super) fn before(&self) -> Shares {
        self.parts.with_bytes(self.held.bytes()).shares()
    }

    pub(super) fn after(&self) -> Shares {
        self.parts
            .with_bytes(self.held.bytes().saturating_add(self.more))
            .shares()
    }
}

impl Line {
    pub(super) fn is_waited_in(&self) -> bool {
        !(self.growths.is_empty() && self.small_openings.is_empty() && self.big_openings.is_empty())
    }

    /// Takes room for a sandbox that nothing waits before.
    pub(super) fn take(&mut self, total: &Parts, parts: Parts) -> Option<u64> {
        let shares = parts.shares();
        let line = if shares.is_big() {
            &self.big_openings
        } else {
            &self.small_openings
        };
        if !line.is_empty() || !self.opens(total, &shares) {
            return None;
        }
        Some(self.seat(parts, &shares))
    }

    pub(super) fn seat(&mut self, parts: Parts, shares: &Shares) -> u64 {
        self.used = self.used.plus(*shares);
        self.typical = self.typical.each(parts, |old, new| (old * 7 + new) / 8);
        self.number += 1;
        self.number
    }

    /// Whether there is room for `after` in the place of `before`.
    pub(super) fn fits(&self, total: &Parts, before: &Shares, after: &Shares) -> bool {
        let used = self.used.plus(*after).minus(*before);
        let big_fits = after
            .big
            .0
            .iter()
            .zip(used.big.0)
            .zip(total.quarters(3).0)
            .all(|((wanted, big), most)| *wanted == 0 || big <= most);
        big_fits && used.sum().within(*total)
    }

    /// Whether a sandbox with such shares may be opened now.
    pub(super) fn opens(&self, total: &Parts, shares: &Shares) -> bool {
        if !self.fits(total, &Shares::NONE, shares) {
            return false;
        }
        if shares.is_big() {
            return self.growths.is_empty();
        }
        // Of sandboxes there is always one, also where a quarter is less.
        let quarter = total.quarters(1).each(SMALL, u64::max);
        (self.big_openings.is_empty() && self.growths.is_empty())
            || self.used.small.plus(shares.small).within(quarter)
    }

    /// Whether something small waits for want of bytes.
    pub(super) fn lacks_small_bytes(&self, total: &Parts) -> bool {
        let free = total.bytes().saturating_sub(self.used.sum().bytes());
        let opening = self.small_openings.front().map(|it| it.parts.bytes());
        let growth = self.growths.iter().filter(|it| !it.after().is_big());
        growth
            .map(|it| it.more)
            .chain(opening)
            .any(|wanted| wanted > free)
    }

    pub(super) fn serve_growths(&mut self, total: &Parts) {
        let mut at = 0;
        while at < self.growths.len() {
            let (before, after) = (self.growths[at].before(), self.growths[at].after());
            if !self.fits(total, &before, &after) {
                at += 1;
                continue;
            }
            self.used = self.used.plus(after).minus(before);
            let growth = self.growths.remove(at);
            growth
                .held
                .set(growth.held.bytes().saturating_add(growth.more));
            // One that stopped waiting gives back what it finds granted.
            let _ = growth.answer.send(Ok(()));
        }
    }

    pub(super) fn serve_openings(&mut self, total: &Parts) {
        // The big one first: small ones pass it only within their quarter.
        for is_big in [true, false] {
            loop {
                let openings = if is_big {
                    &self.big_openings
                } else {
                    &self.small_openings
                };
                let Some(parts) = openings.front().map(|opening| opening.parts) else {
                    break;
                };
                let shares = parts.shares();
                if !self.opens(total, &shares) {
                    break;
                }
                let openings = if is_big {
                    &mut self.big_openings
                } else {
                    &mut self.small_openings
                };
                let Some(opening) = openings.pop_front() else {
                    break;
                };
                let number = self.seat(parts, &shares);
                // One that stopped waiting gives back what it finds granted.
                let _ = opening.granted.send(number);
            }
        }
    }
}
