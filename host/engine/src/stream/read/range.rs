//! The verb: frames between two cursors.

use model::{FrameId, Limits, StreamRefusal, Visibility};

use super::frames::{ReadFrames, read_frames};
use crate::stream::{ReadStream, StreamPage};
use crate::{Declined, Engine};

impl Engine {
    /// Reads frames between two cursors, both included, in the order of their ids. An
    /// attempt that was not begun has an open stream without frames.
    ///
    /// # Refusals
    /// See [`StreamRefusal`].
    pub async fn read_stream(
        &self,
        request: &ReadStream,
    ) -> Result<StreamPage, Declined<StreamRefusal>> {
        request.check()?;
        let id = request.execution_id;
        let call = ReadFrames::new(
            (id, request.attempt),
            (before(request.from.first()), request.to.last().place()),
            (request.count, Limits::STREAM_PAGE_BYTES_MAX),
            request.visibility == Visibility::All,
        );
        let mut reads = read_frames(&self.inner.reads, id.partition(), &[&call]).await?;
        let read = reads.remove(0);
        read.check(request.namespace.as_deref())?;
        Ok(StreamPage {
            frames: read.frames,
            more: read.more,
            closed: read.closed,
        })
    }
}

/// Returns the place before an id.
fn before(id: FrameId) -> i64 {
    id.place() - 1
}
