//! What was written to the log last, read once for all readers at its head on this host.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use model::{EventPlace, LoggedEvent};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::horizon::Horizon;
use crate::{Engine, Error};

/// Events that are kept for readers at the head.
const EVENTS_MAX: usize = 16 * 1024;
/// Readers that are behind and read for themselves at once, of this host.
const BEHIND_MAX: usize = 4;
/// Least time between two reads of the head.
const PAUSE: Duration = Duration::from_millis(2);
/// Longest time between two reads while anyone follows: wake-ups are hints.
const POLL: Duration = Duration::from_millis(100);
/// How often other hosts are asked to tell this one when they write.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Pause after a read that failed.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// The head of the log, as far as this host keeps it.
pub(crate) struct Recent {
    kept: Mutex<Kept>,
    /// Counts changes of what is kept.
    pub(super) changed: watch::Sender<u64>,
    followers: Mutex<Followers>,
    /// Bounds the reads of those that are behind.
    pub(super) behind: Semaphore,
    pub(super) horizon: Horizon,
}

/// All events after one place and up to another.
#[derive(Default)]
struct Kept {
    /// Absent while there is no follower.
    span: Option<(EventPlace, EventPlace)>,
    events: VecDeque<Arc<LoggedEvent>>,
}

/// What is kept after a place.
pub(super) enum After {
    /// These events, and everything up to that place was looked at.
    Kept(Vec<Arc<LoggedEvent>>, EventPlace),
    /// Events after the place were let go, or none is kept yet.
    LetGo,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            changed: watch::Sender::new(0),
            followers: Mutex::default(),
            behind: Semaphore::new(BEHIND_MAX),
            horizon: Horizon::default(),
        }
    }
}

/// Readers at the head, and whether a task reads for them.
#[derive(Default)]
struct Followers {
    count: usize,
    read: bool,
}

/// One reader at the head; it is read while there is one.
pub(super) struct Follower(Engine);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.inner.recent.followers.lock().count -= 1;
    }
}

impl Recent {
    /// Whether anyone follows; if not, the task that reads ends.
    fn is_followed(&self) -> bool {
        let mut followers = self.followers.lock();
        followers.read = followers.count > 0;
        if !followers.read {
            *self.kept.lock() = Kept::default();
        }
        followers.read
    }

    /// Returns at most `limit` events after a place that `fits`.
    pub(super) fn after(
        &self,
        place: EventPlace,
        limit: usize,
        fits: impl Fn(&LoggedEvent) -> bool,
    ) -> After {
        let kept = self.kept.lock();
        let Some((from, to)) = kept.span.filter(|(from, _)| *from <= place) else {
            return After::LetGo;
        };
        debug_assert!(from <= to, "a span does not run backwards");
        let begin = kept.events.partition_point(|event| event.place <= place);
        let mut events = Vec::new();
        for event in kept.events.range(begin..) {
            if fits(event) {
                events.push(event.clone());
                if events.len() == limit {
                    return After::Kept(events, event.place);
                }
            }
        }
        After::Kept(events, to.max(place))
    }

    /// Keeps events that were read up to a place, and lets the oldest go.
    fn add(&self, events: Vec<LoggedEvent>, to: EventPlace) {
        let mut kept = self.kept.lock();
        let Kept { span, events: all } = &mut *kept;
        let Some((from, end)) = span else { return };
        all.extend(events.into_iter().map(Arc::new));
        *end = to;
        while all.len() > EVENTS_MAX {
            let gone = all.pop_front().expect("invariant: it is not empty");
            *from = gone.place;
        }
        drop(kept);
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn begin(&self, at: EventPlace) {
        *self.kept.lock() = Kept {
            span: Some((at, at)),
            events: VecDeque::new(),
        };
    }

    fn reached(&self) -> Option<EventPlace> {
        self.kept.lock().span.map(|(_, to)| to)
    }
}

impl Engine {
    /// Begins to follow the log: its head is read until nothing follows any more.
    pub(super) fn follow_log(&self) -> Follower {
        let mut followers = self.inner.recent.followers.lock();
        followers.count += 1;
        if !std::mem::replace(&mut followers.read, true) {
            let engine = self.clone();
            let tasks = &self.inner.tasks;
            tasks.spawn("event log", move || engine.clone().read_head());
        }
        Follower(self.clone())
    }

    /// Reads the head of the log while it is followed.
    async fn read_head(self) {
        let mut logged = self.inner.wake.logged_signal();
        while self.inner.recent.is_followed() {
            match self.read_head_once().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    debug!(%error, "the head of the event log was not read");
                    sleep(AFTER_FAILURE).await;
                    continue;
                }
            }
            self.inner.wake.ask_for_writes(ASK_EVERY);
            sleep(PAUSE).await;
            // A wake-up is a hint: without one it is read all the same.
            let _ = timeout(POLL, logged.changed()).await;
        }
    }

    /// Reads what is new once; returns whether there may be more.
    async fn read_head_once(&self) -> Result<bool, Error> {
        let recent = &self.inner.recent;
        let Some(after) = recent.reached() else {
            recent.begin(self.end_of_log().await?);
            return Ok(true);
        };
        let found = self.look(None, after, false).await?;
        if found.place > after {
            recent.add(found.events, found.place);
        }
        Ok(found.more)
    }
}
