//! The streams that are followed on this host.

use std::collections::HashMap;
use std::sync::Arc;

use model::ExecutionId;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use super::kept::Kept;
use crate::{Engine, Error};

/// Most streams that are followed on a host at once.
const HEADS_MAX: usize = 16 * 1024;
/// Bytes of frames that a host keeps of one stream, and of all that are followed.
const HEAD_BYTES_MAX: usize = 1 << 20;
const BYTES_MAX: usize = 64 << 20;
/// Tails that are behind and read for themselves at once, of this host.
const BEHIND_MAX: usize = 4;

/// The streams that are followed on this host.
pub(crate) struct Heads {
    streams: Mutex<HashMap<(ExecutionId, u32), Followed>>,
    /// Bounds the reads of those that are behind.
    pub(super) behind: Semaphore,
}

/// A stream, and how many follow it.
struct Followed {
    head: Arc<Head>,
    followers: usize,
}

/// What is kept of a stream.
pub(super) struct Head {
    pub(super) kept: Mutex<Kept>,
    /// Counts changes of what is kept.
    pub(super) changed: watch::Sender<u64>,
}

impl Default for Heads {
    fn default() -> Self {
        Self {
            streams: Mutex::default(),
            behind: Semaphore::new(BEHIND_MAX),
        }
    }
}

impl Heads {
    /// Returns how many bytes may be kept of one stream.
    pub(super) fn bytes_max(&self) -> usize {
        let followed = self.streams.lock().len().max(1);
        HEAD_BYTES_MAX.min(BYTES_MAX / followed)
    }

    /// Whether any follows a stream.
    pub(super) fn is_followed(&self, stream: (ExecutionId, u32)) -> bool {
        let streams = self.streams.lock();
        let followed = streams.get(&stream);
        followed.is_some_and(|followed| followed.followers > 0)
    }

    /// Forgets a stream unless any follows it; returns whether it is forgotten.
    pub(super) fn forget_unfollowed(&self, stream: (ExecutionId, u32)) -> bool {
        let mut streams = self.streams.lock();
        let followed = streams.get(&stream);
        let unfollowed = followed.is_none_or(|followed| followed.followers == 0);
        if unfollowed {
            streams.remove(&stream);
        }
        unfollowed
    }
}

/// One that follows a stream; it is read while there is one.
pub(super) struct Follower {
    engine: Engine,
    stream: (ExecutionId, u32),
    pub(super) head: Arc<Head>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut streams = self.engine.inner.heads.streams.lock();
        if let Some(followed) = streams.get_mut(&self.stream) {
            followed.followers -= 1;
        }
    }
}

impl Engine {
    /// Begins to follow a stream: what is appended to it is read until nothing follows it
    /// any more.
    pub(super) fn follow_stream(&self, stream: (ExecutionId, u32)) -> Result<Follower, Error> {
        let mut streams = self.inner.heads.streams.lock();
        if streams.len() >= HEADS_MAX && !streams.contains_key(&stream) {
            let why = format!("{HEADS_MAX} streams are followed on this host already");
            return Err(Error::Unavailable(why));
        }
        let followed = streams.entry(stream).or_insert_with(|| {
            let head = Arc::new(Head {
                kept: Mutex::default(),
                changed: watch::Sender::new(0),
            });
            let (engine, reading) = (self.clone(), head.clone());
            self.inner.tasks.spawn("stream head", move || {
                engine.clone().read_head_of(stream, reading.clone())
            });
            Followed { head, followers: 0 }
        });
        followed.followers += 1;
        Ok(Follower {
            engine: self.clone(),
            stream,
            head: followed.head.clone(),
        })
    }
}
