//! The queues of the compiler: two, each first come, first served.
//!
//! Small components have a queue of their own, so that none waits for an interpreter to be
//! compiled; within a queue nothing overtakes, so none starves. A small file can still take
//! long to compile: one that exceeds the limits of the small queue starts over in the
//! other.

use std::time::{Duration, Instant};

use model::Digest;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How far a component is that is to be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileProgress {
    /// Whether it is being compiled; if not, it waits.
    pub compiling: bool,
    /// Components in the queue before it.
    pub ahead: u32,
    /// The component that is being compiled now, if it waits for that one.
    pub behind: Option<Digest>,
    /// Time since it entered its queue.
    pub elapsed: Duration,
}

/// A queue, of which one component at a time is compiled.
#[derive(Debug)]
pub(super) struct CompileQueue {
    turn: Semaphore,
    /// In the order in which they are compiled; the first has its turn.
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    digest: Digest,
    since: Instant,
    compiling: bool,
}

/// A place in a queue, given up when dropped.
#[derive(Debug)]
pub(super) struct CompileTurn<'a> {
    queue: &'a CompileQueue,
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

    /// Waits for a turn. A digest may be in a queue once at most.
    pub(super) async fn turn(&self, digest: Digest) -> CompileTurn<'_> {
        self.entries().push(Entry {
            digest,
            since: Instant::now(),
            compiling: false,
        });
        let mut turn = CompileTurn {
            queue: self,
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

    /// Returns how far a component is, if it is in this queue.
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

    /// Returns how many components are in this queue.
    pub(super) fn len(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock()
    }
}

impl Drop for CompileTurn<'_> {
    fn drop(&mut self) {
        self.queue.entries().retain(|it| it.digest != self.digest);
        // The permit is released after that, so that the next one finds itself first.
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
        let queue = CompileQueue::new();
        let first = queue.turn(digest(1)).await;
        let mut second = Box::pin(queue.turn(digest(2)));
        let mut third = Box::pin(queue.turn(digest(3)));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        let waits = queue.progress(&digest(3)).expect("in the queue");
        assert_eq!((waits.compiling, waits.ahead), (false, 2));
        assert_eq!(waits.behind, Some(digest(1)));
        let runs = queue.progress(&digest(1)).expect("in the queue");
        assert_eq!((runs.compiling, runs.behind), (true, None));
        // One that gives up leaves no gap.
        drop(second);
        drop(first);
        let third = (&mut third).now_or_never().expect("its turn");
        let runs = queue.progress(&digest(3)).expect("in the queue");
        assert_eq!((runs.compiling, runs.ahead), (true, 0));
        drop(third);
        assert_eq!(queue.len(), 0);
    }
}
