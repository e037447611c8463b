//! Who gets room, and who waits.
//!
//! Room is counted in four parts: sandboxes, memories, tables and bytes. A sandbox that
//! takes more than [`SMALL`] of any is a *big* one, and becomes one when it grows.
//!
//! ```text
//! opening  ─ fits? ─▶ seat          growth ─ fits? ─▶ granted
//!     └─▶ waits in order               └─▶ waits, at most GROWTH_WAIT
//!                                              └─▶ stopped by name
//! ```
//!
//! - Big sandboxes have at most three quarters of memories, tables and bytes, so that
//!   they leave room for small ones.
//! - While a big one waits, small ones are opened only as long as they are within a
//!   quarter, so that it does not wait in vain.
//! - Openings of a size are served in order; growth goes before them, the oldest
//!   sandbox first.
//!
//! # Nothing waits for itself
//!
//! What waits to be opened holds no room. What waits to grow does, so all sandboxes
//! could wait for each other. Each such wait therefore has an end of its own
//! ([`GROWTH_WAIT`]); and it ends at once, for the youngest, when every open sandbox
//! waits to grow, or when a small one finds no room: then the sandbox is stopped
//! and what it held is free. No second one is stopped before the first is closed. An
//! opening waits as long as its lease holds, for sandboxes of which each has a bounded
//! life.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use super::line::{Growth, Line, Opening};
use super::needs::Wanted;
use super::parts::{Parts, SMALL, Shares};
use super::seat::{Held, NoRoom, Seat};
use super::size::PoolSize;

/// Longest a sandbox waits to grow.
const GROWTH_WAIT: Duration = Duration::from_secs(10);

/// What all sandboxes of a host may have together.
#[derive(Debug)]
pub(crate) struct Room {
    total: Parts,
    kept_bytes: u64,
    growth_wait: Duration,
    line: Mutex<Line>,
    /// Openings that wait, of small sandboxes and of big ones.
    small_waiting: AtomicUsize,
    big_waiting: AtomicUsize,
    /// Told when openings of either size wait no more.
    cleared: Notify,
    refused: AtomicU64,
}

/// For what sandboxes there may be room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForMore {
    /// For any.
    All,
    /// For small ones.
    Small,
    /// For none.
    None,
}

/// Room as it is used at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Occupancy {
    pub(crate) bytes: u64,
    pub(crate) bytes_max: u64,
    pub(crate) sandboxes: u64,
    pub(crate) sandboxes_max: u64,
    /// Waiting to be opened.
    pub(crate) opening: u64,
    /// Waiting to grow.
    pub(crate) growing: u64,
    /// Stopped because there was no room to grow.
    pub(crate) refused: u64,
}

impl Room {
    /// Makes room for a pool of this size and for so many bytes.
    pub(crate) fn new(size: &PoolSize, memory_bytes: u64) -> Arc<Self> {
        Self::patient(size, memory_bytes, GROWTH_WAIT)
    }

    /// As [`Self::new`], with another end of waits for growth.
    pub(super) fn patient(size: &PoolSize, memory_bytes: u64, growth_wait: Duration) -> Arc<Self> {
        let total = Parts([
            size.sandboxes.into(),
            size.memories.into(),
            size.tables.into(),
            memory_bytes,
        ]);
        Arc::new(Self {
            total,
            kept_bytes: size.kept_bytes(),
            growth_wait,
            line: Mutex::new(Line {
                used: Shares::NONE,
                number: 0,
                leaving: 0,
                typical: SMALL,
                small_openings: VecDeque::new(),
                big_openings: VecDeque::new(),
                growths: Vec::new(),
            }),
            small_waiting: AtomicUsize::new(0),
            big_waiting: AtomicUsize::new(0),
            cleared: Notify::new(),
            refused: AtomicU64::new(0),
        })
    }

    /// Takes room for a sandbox, unless there is none or others wait for it.
    pub(crate) fn try_open(self: &Arc<Self>, wanted: &Wanted) -> Option<Arc<Seat>> {
        let parts = Parts::of(wanted);
        let mut line = self.line();
        let number = line.take(&self.total, parts)?;
        drop(line);
        Some(Seat::new(self.clone(), number, parts, wanted))
    }

    /// Takes room for a sandbox, waiting for it in order.
    pub(crate) async fn open(self: &Arc<Self>, wanted: &Wanted) -> Arc<Seat> {
        let parts = Parts::of(wanted);
        let mut turn = {
            let mut line = self.line();
            if let Some(number) = line.take(&self.total, parts) {
                drop(line);
                return Seat::new(self.clone(), number, parts, wanted);
            }
            let (granted, turn) = oneshot::channel();
            line.number += 1;
            let ticket = line.number;
            let opening = Opening {
                ticket,
                parts,
                granted,
            };
            if parts.shares().is_big() {
                line.big_openings.push_back(opening);
            } else {
                line.small_openings.push_back(opening);
            }
            self.press(&mut line);
            self.note(&line);
            OpeningTurn {
                room: self,
                ticket,
                parts,
                turn,
                taken: false,
            }
        };
        match (&mut turn.turn).await {
            Ok(number) => {
                turn.taken = true;
                Seat::new(self.clone(), number, parts, wanted)
            }
            // Room is kept by everything that waits for it.
            Err(_closed) => unreachable!("invariant: the line outlives what waits in it"),
        }
    }

    /// Whether a sandbox like this is a small one.
    pub(crate) fn is_small(wanted: &Wanted) -> bool {
        Parts::of(wanted).within(SMALL)
    }

    /// Says why a sandbox like this can never be opened, however long it waits.
    pub(crate) fn never_fits(&self, wanted: &Wanted) -> Option<String> {
        let shares = Parts::of(wanted).shares();
        let most = self.total.quarters(3);
        let words = [
            ("sandboxes", "runtime.sandboxes_max"),
            ("memories", "runtime.sandboxes_max"),
            ("tables", "runtime.sandboxes_max"),
            ("bytes", "runtime.memory_bytes_max"),
        ];
        shares
            .big
            .0
            .iter()
            .zip(most.0)
            .zip(words)
            .find(|((has, max), _)| *has > max)
            .map(|((has, max), (what, setting))| {
                format!("it takes {has} {what}; all such sandboxes of this host have {max} together ({setting})")
            })
    }

    /// Returns for what sandboxes there may be room: for none of a size of which some
    /// wait, and for no big ones while small ones do.
    pub(crate) fn for_more(&self) -> ForMore {
        if self.small_waiting.load(Ordering::Relaxed) > 0 {
            ForMore::None
        } else if self.big_waiting.load(Ordering::Relaxed) > 0 {
            ForMore::Small
        } else {
            ForMore::All
        }
    }

    /// Returns what is told when sandboxes of a size wait no more.
    pub(crate) fn cleared(&self) -> Notified<'_> {
        self.cleared.notified()
    }

    /// Returns about how many sandboxes could be opened now, going by the last ones.
    pub(crate) fn openings(&self) -> usize {
        let line = self.line();
        let free = self.total.minus(line.used.sum());
        let openings = free
            .0
            .iter()
            .zip(line.typical.0)
            .map(|(free, each)| free / each.max(1))
            .min();
        usize::try_from(openings.unwrap_or(0)).unwrap_or(usize::MAX)
    }

    /// Returns how room is used now.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let line = self.line();
        let used = line.used.sum();
        Occupancy {
            bytes: used.bytes(),
            bytes_max: self.total.bytes(),
            sandboxes: used.0[0],
            sandboxes_max: self.total.0[0],
            opening: (line.small_openings.len() + line.big_openings.len()) as u64,
            growing: line.growths.len() as u64,
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Returns what the pool keeps at most of closed sandboxes, beside the room.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Takes bytes for an open sandbox at once, or says that there are none.
    pub(super) fn try_grow(&self, seat: &Seat, more: u64) -> Result<(), NoRoom> {
        let mut line = self.line();
        if self.grow_at_once(&mut line, seat, more)? {
            return Ok(());
        }
        self.leaves(&mut line, seat.held());
        Err(NoRoom::Full)
    }

    /// Takes bytes for an open sandbox, waiting for them as long as that may help.
    pub(super) async fn grow(&self, seat: &Seat, more: u64) -> Result<(), NoRoom> {
        let mut turn = {
            let mut line = self.line();
            if self.grow_at_once(&mut line, seat, more)? {
                return Ok(());
            }
            let (answer, turn) = oneshot::channel();
            let growth = Growth {
                sandbox: seat.number(),
                parts: seat.parts(),
                held: seat.held().clone(),
                more,
                answer,
            };
            let at = line
                .growths
                .partition_point(|other| other.sandbox < growth.sandbox);
            line.growths.insert(at, growth);
            self.press(&mut line);
            GrowthTurn {
                room: self,
                seat,
                more,
                turn,
                taken: false,
            }
        };
        let answer = tokio::time::timeout(self.growth_wait, &mut turn.turn).await;
        match answer {
            Ok(Ok(answer)) => {
                turn.taken = true;
                answer
            }
            Ok(Err(_closed)) => Err(NoRoom::Full),
            Err(_elapsed) => {
                self.leaves(&mut self.line(), seat.held());
                Err(NoRoom::Full)
            }
        }
    }

    /// Gives bytes of an open sandbox back.
    pub(super) fn shrink(&self, seat: &Seat, less: u64) {
        let mut line = self.line();
        let held = seat.held().bytes();
        let left = held.saturating_sub(less);
        seat.held().set(left);
        let (before, after) = (
            seat.parts().with_bytes(held).shares(),
            seat.parts().with_bytes(left).shares(),
        );
        line.used = line.used.plus(after).minus(before);
        self.serve_if_waited_in(&mut line);
    }

    /// Gives all back that a sandbox had.
    pub(super) fn close(&self, parts: Parts, held: &Held) {
        let mut line = self.line();
        if held.is_leaving() {
            line.leaving -= 1;
        }
        self.leave(&mut line, &parts.with_bytes(held.bytes()).shares());
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, line: &mut Line, shares: &Shares) {
        line.used = line.used.minus(*shares);
        self.serve_if_waited_in(line);
    }

    fn serve_if_waited_in(&self, line: &mut Line) {
        if line.is_waited_in() {
            self.serve(line);
        }
    }

    /// Hands out what has become free.
    fn serve(&self, line: &mut Line) {
        line.serve_growths(&self.total);
        line.serve_openings(&self.total);
        self.press(line);
        self.note(line);
    }

    fn grow_at_once(&self, line: &mut Line, seat: &Seat, more: u64) -> Result<bool, NoRoom> {
        let held = seat.held().bytes();
        let (before, after) = (
            seat.parts().with_bytes(held).shares(),
            seat.parts().with_bytes(held.saturating_add(more)).shares(),
        );
        let max = self.total.quarters(3).bytes();
        if after.big.bytes() > max {
            return Err(NoRoom::Never { max });
        }
        // One that takes much does not pass those that wait for it.
        let passes = after.is_big() && !line.growths.is_empty();
        if passes || !line.fits(&self.total, &before, &after) {
            return Ok(false);
        }
        line.used = line.used.plus(after).minus(before);
        seat.held().set(held.saturating_add(more));
        Ok(true)
    }

    /// Stops the youngest sandbox that waits to grow, if without that nothing moves or
    /// a small sandbox finds no room.
    fn press(&self, line: &mut Line) {
        if line.leaving > 0 || line.growths.is_empty() {
            return;
        }
        let at = if line.growths.len() as u64 >= line.used.sum().0[0] {
            line.growths.len() - 1
        } else if line.lacks_small_bytes(&self.total)
            && let Some(at) = line.growths.iter().rposition(|it| it.after().is_big())
        {
            at
        } else {
            return;
        };
        let growth = line.growths.remove(at);
        self.leaves(line, &growth.held);
        // One that stopped waiting has its end already.
        let _ = growth.answer.send(Err(NoRoom::Full));
    }

    /// Notes that a sandbox stops for want of room.
    fn leaves(&self, line: &mut Line, held: &Held) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        if held.leave() {
            line.leaving += 1;
        }
    }

    /// Tells how many wait.
    fn note(&self, line: &Line) {
        let note = |waiting: &AtomicUsize, now: usize| {
            let before = waiting.swap(now, Ordering::Relaxed);
            before > 0 && now == 0
        };
        let small = note(&self.small_waiting, line.small_openings.len());
        let big = note(&self.big_waiting, line.big_openings.len());
        if small || big {
            self.cleared.notify_waiters();
        }
    }
}

/// A turn in the line of openings, given up when dropped.
struct OpeningTurn<'a> {
    room: &'a Room,
    ticket: u64,
    parts: Parts,
    turn: oneshot::Receiver<u64>,
    taken: bool,
}

impl Drop for OpeningTurn<'_> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut line = self.room.line();
        if self.turn.try_recv().is_ok() {
            self.room.leave(&mut line, &self.parts.shares());
            return;
        }
        let ticket = self.ticket;
        line.small_openings
            .retain(|opening| opening.ticket != ticket);
        line.big_openings.retain(|opening| opening.ticket != ticket);
        self.room.serve(&mut line);
    }
}

/// A turn in the line of growth, given up when dropped.
struct GrowthTurn<'a> {
    room: &'a Room,
    seat: &'a Seat,
    more: u64,
    turn: oneshot::Receiver<Result<(), NoRoom>>,
    taken: bool,
}

impl Drop for GrowthTurn<'_> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut line = self.room.line();
        if let Ok(Ok(())) = self.turn.try_recv() {
            drop(line);
            self.room.shrink(self.seat, self.more);
            return;
        }
        let number = self.seat.number();
        line.growths.retain(|growth| growth.sandbox != number);
        self.room.serve(&mut line);
    }
}
