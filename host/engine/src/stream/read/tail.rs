//! The verb: frames after an id, as they are appended.

use model::{Limits, StreamRefusal, Visibility};
use tokio::time::{Instant, timeout_at};

use super::frames::{ReadFrames, StreamRead, read_frames};
use super::kept::After;
use crate::stream::{StreamPage, TailStream};
use crate::{Declined, Engine, Error};

impl Engine {
    /// Reads frames after an id, and waits for some if there are none: until there is one,
    /// until the stream is closed, or for `wait`; the page is empty then.
    ///
    /// No connection to the database is held while it waits, and tails of a host share
    /// their reads.
    ///
    /// # Refusals
    /// See [`StreamRefusal`].
    pub async fn tail_stream(
        &self,
        request: &TailStream,
    ) -> Result<StreamPage, Declined<StreamRefusal>> {
        request.check()?;
        let until = Instant::now() + request.wait;
        let follower = self.follow_stream((request.execution_id, request.attempt))?;
        let mut changed = follower.head.changed.subscribe();
        let mut after = request.after.first().place();
        loop {
            changed.mark_unchanged();
            let (kept, failed) = {
                let kept = follower.head.kept.lock();
                (kept.after(after, request), kept.failed.clone())
            };
            match kept {
                After::Page(page) if page.frames.is_empty() && page.closed.is_none() => {
                    if timeout_at(until, changed.changed()).await.is_err() {
                        return Ok(StreamPage::default());
                    }
                }
                After::Page(page) => return Ok(page),
                After::Refused(refusal) => return Err(refusal.into()),
                After::LetGo => {
                    let read = self.read_behind(request, after).await?;
                    read.check(request.namespace.as_deref())?;
                    if !read.frames.is_empty() {
                        return Ok(StreamPage {
                            closed: read.closed.filter(|_| !read.more),
                            frames: read.frames,
                            more: read.more,
                        });
                    }
                    after = after.max(read.last_place);
                }
                After::Unread => {
                    if let Some(error) = failed {
                        return Err(error.into());
                    }
                    // The first read ends, whether or not it succeeds.
                    let _ = changed.changed().await;
                }
            }
        }
    }

    /// Reads frames that are not kept for those at the head.
    async fn read_behind(&self, request: &TailStream, after: i64) -> Result<StreamRead, Error> {
        let semaphore = &self.inner.heads.behind;
        let _permit = semaphore
            .acquire()
            .await
            .expect("invariant: it is never closed");
        let id = request.execution_id;
        let call = ReadFrames::new(
            (id, request.attempt),
            (after, i64::MAX),
            (request.count, Limits::STREAM_PAGE_BYTES_MAX),
            request.visibility == Visibility::All,
        );
        let mut reads = read_frames(&self.inner.reads, id.partition(), &[&call]).await?;
        Ok(reads.remove(0))
    }
}
