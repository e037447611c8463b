//! Turns at the compiler: two lanes, each first come, first served.
//!
//! Small components have a lane of their own, so that none waits for an
//! interpreter to be compiled; within a lane nothing overtakes, so none starves. A
//! small file can still take long to compile: what does not get done within the
//! small lane's allowance starts over in the other.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::Digest;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Where a component stands that is to be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileProgress {
    /// Whether it is being compiled; else it waits for its turn.
    pub compiling: bool,
    /// How many are before it.
    pub ahead: u32,
    /// The one that is being compiled now in its lane.
    pub behind: Option<Digest>,
    /// Time since it was put into its lane.
    pub elapsed: Duration,
}

/// A lane: one turn at a time.
#[derive(Debug)]
pub(super) struct CompileQueue {
    turn: Semaphore,
    /// In the order of their turns; the first has it.
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    digest: Digest,
    since: Instant,
    compiling: bool,
}

/// A place in a lane, given up when dropped.
#[derive(Debug)]
pub(super) struct CompileTurn<'a> {
    lane: &'a CompileQueue,
    digest: Digest,
    permit: Option<SemaphorePermit<'a>>,
}

impl CompileQueue {
    pub(super) fn new() -> Self {
        Self {
            turn: Semaphore::new(1),
            entries: Mutex::default(),
        }
    }

    /// Waits for a turn. A digest stands in a lane once at most.
    pub(super) async fn turn(&self, digest: Digest) -> CompileTurn<'_> {
        self.entries().push(Entry {
            digest,
            since: Instant::now(),
            compiling: false,
        });
        let mut turn = CompileTurn {
            lane: self,
            digest,
            permit: None,
        };
        let permit = self.turn.acquire().await;
        turn.permit = Some(permit.expect("invariant: turns are never closed"));
        if let Some(entry) = self.entries().iter_mut().find(|it| it.digest == digest) {
            entry.compiling = true;
        }
        turn
    }

    /// Returns where a component stands, if it is in this lane.
    pub(super) fn progress(&self, digest: &Digest) -> Option<CompileProgress> {
        let entries = self.entries();
        let at = entries.iter().position(|it| it.digest == *digest)?;
        let running = entries.iter().find(|it| it.compiling);
        Some(CompileProgress {
            compiling: entries[at].compiling,
            ahead: u32::try_from(at).unwrap_or(u32::MAX),
            behind: running
                .map(|it| it.digest)
                .filter(|running| running != digest),
            elapsed: entries[at].since.elapsed(),
        })
    }

    /// Returns how many stand in this lane.
    pub(super) fn len(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CompileTurn<'_> {
    fn drop(&mut self) {
        self.lane.entries().retain(|it| it.digest != self.digest);
        // The permit is given back after that, so that the next one finds
        // itself the first.
        self.permit.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    const fn digest(n: u8) -> Digest {
        Digest([n; 32])
    }

    #[tokio::test]
    async fn turns_come_in_order_and_say_who_is_ahead() {
        let lane = CompileQueue::new();
        let first = lane.turn(digest(1)).await;
        let mut second = Box::pin(lane.turn(digest(2)));
        let mut third = Box::pin(lane.turn(digest(3)));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        let waits = lane.progress(&digest(3)).expect("in the lane");
        assert_eq!((waits.compiling, waits.ahead), (false, 2));
        assert_eq!(waits.behind, Some(digest(1)));
        let runs = lane.progress(&digest(1)).expect("in the lane");
        assert_eq!((runs.compiling, runs.behind), (true, None));
        // One that gives up leaves no gap.
        drop(second);
        drop(first);
        let third = (&mut third).now_or_never().expect("its turn");
        let runs = lane.progress(&digest(3)).expect("in the lane");
        assert_eq!((runs.compiling, runs.ahead), (true, 0));
        drop(third);
        assert_eq!(lane.len(), 0);
    }
}
