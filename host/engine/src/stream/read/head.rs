//! The task that reads what is appended to one stream, for all that follow it.

use std::sync::Arc;
use std::time::Duration;

use model::ExecutionId;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::frames::ReadFrames;
use super::heads::Head;
use crate::{Engine, Error};

/// Most frames and bytes of one read.
const READ_MAX: (u32, usize) = (512, 256 << 10);
/// Least time between two reads.
const PAUSE: Duration = Duration::from_millis(2);
/// First pause without a wake-up before a read; it doubles up to [`POLL_MAX`], since
/// wake-ups are hints. Other hosts are asked with each.
const POLL_MIN: Duration = Duration::from_millis(100);
const POLL_MAX: Duration = Duration::from_secs(2);
/// How long a stream is read after the last follower went away: the next page of the same
/// reader is asked for shortly after.
const LINGER: Duration = Duration::from_secs(2);

impl Engine {
    /// Reads a stream while it is followed.
    pub(super) async fn read_head_of(self, stream: (ExecutionId, u32), head: Arc<Head>) {
        let mut changes = self.inner.wake.follow(stream.0);
        let mut poll = POLL_MIN;
        let mut last_followed = Instant::now();
        loop {
            let heads = &self.inner.heads;
            if heads.is_followed(stream) {
                last_followed = Instant::now();
            } else if last_followed.elapsed() >= LINGER && heads.forget_unfollowed(stream) {
                return;
            }
            changes.mark_unchanged();
            match self.read_head_once_of(stream, &head).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    debug!(%error, "the head of a stream was not read");
                    head.kept.lock().failed = Some(error);
                    head.changed
                        .send_modify(|count| *count = count.wrapping_add(1));
                    sleep(POLL_MIN).await;
                }
            }
            changes.ask_others();
            sleep(PAUSE).await;
            poll = match timeout(poll, changes.changed()).await {
                Ok(()) => POLL_MIN,
                Err(_) => (poll * 2).min(POLL_MAX),
            };
        }
    }

    /// Reads what is new once; returns whether there is more.
    async fn read_head_once_of(
        &self,
        stream: (ExecutionId, u32),
        head: &Head,
    ) -> Result<bool, Error> {
        let reached = head.kept.lock().reached();
        let after = reached.unwrap_or(-1);
        let call = ReadFrames::new(stream, (after, i64::MAX), READ_MAX, true);
        let read = self.inner.batchers.frames.call(call).await?;
        // What is kept begins at the end when the first read does not reach it.
        let more = read.more && reached.is_some();
        let bytes_max = self.inner.heads.bytes_max();
        let changed = head.kept.lock().add(read, bytes_max);
        if changed {
            head.changed
                .send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(more)
    }
}
