//! Which streams are followed, here and on other hosts.
//!
//! A host names the executions whose streams or logs it follows; the others tell it when
//! they append to one of these, or end its attempt. A hint like every wake-up.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use model::ExecutionId;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::Wake;
use super::elsewhere::Elsewhere;

/// How often other hosts are asked to tell of one execution.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Executions whose streams are followed.
#[derive(Default)]
pub(super) struct Streams {
    /// Where tasks of this host learn of changes.
    here: Mutex<HashMap<ExecutionId, watch::Sender<u64>>>,
    pub(super) elsewhere: Elsewhere,
}

impl Streams {
    /// Tells tasks of this host.
    pub(super) fn tell(&self, ids: impl Iterator<Item = ExecutionId>) {
        let here = self.here.lock();
        if here.is_empty() {
            return;
        }
        for id in ids {
            if let Some(changes) = here.get(&id) {
                changes.send_modify(|count| *count = count.wrapping_add(1));
            }
        }
    }
}

impl Wake {
    /// The streams or the attempts of these executions changed on this host.
    pub(crate) fn streamed(&self, ids: impl Iterator<Item = ExecutionId> + Clone) {
        let streams = &self.inner.streams;
        streams.tell(ids.clone());
        let followed = streams.elsewhere.among(ids);
        if !followed.is_empty() {
            self.send(|outbox| outbox.streamed.extend(followed));
        }
    }

    /// Begins to follow the streams of an execution.
    pub(crate) fn follow(&self, id: ExecutionId) -> StreamChanges {
        let mut here = self.inner.streams.here.lock();
        let changes = here.entry(id).or_default().subscribe();
        StreamChanges {
            wake: self.clone(),
            id,
            changes,
            asked: None,
        }
    }
}

/// Changes of the streams of one execution, until it is dropped.
pub(crate) struct StreamChanges {
    wake: Wake,
    id: ExecutionId,
    changes: watch::Receiver<u64>,
    asked: Option<Instant>,
}

impl StreamChanges {
    /// Forgets changes until now.
    pub(crate) fn mark_unchanged(&mut self) {
        self.changes.mark_unchanged();
    }

    /// Waits for a change since the last call, or since [`Self::mark_unchanged`].
    pub(crate) async fn changed(&mut self) {
        let told = self.changes.changed().await;
        told.expect("invariant: the sender is kept while one listens");
    }

    /// Asks other hosts, now and then, to tell this one of changes.
    pub(crate) fn ask_others(&mut self) {
        if self.asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY) {
            self.asked = Some(Instant::now());
            self.wake.send(|outbox| outbox.tailed.push(self.id));
        }
    }
}

impl Drop for StreamChanges {
    fn drop(&mut self) {
        let mut here = self.wake.inner.streams.here.lock();
        let listening = here.get(&self.id).map_or(0, watch::Sender::receiver_count);
        // This one is among them.
        if listening <= 1 {
            here.remove(&self.id);
        }
    }
}
