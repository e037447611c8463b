//! The verb: what is checked before the statement.

use futures::future::join_all;
use model::{AppendRefusal, Fence, NewFrame};

use super::call::AppendCall;
use crate::stream::Appended;
use crate::{Declined, Engine};

/// Bytes of payload from which on a call does not share a flusher with small ones.
const LARGE_BYTES: usize = 64 << 10;

fn is_large(frame: &NewFrame) -> bool {
    frame.payload.len() >= LARGE_BYTES
}

impl Engine {
    /// Appends a frame to the stream of the attempt that runs under a lease.
    ///
    /// Calls in flight share a statement. Of two calls the later gets the greater id if
    /// the first had been answered, and a greater one than every frame that could be read
    /// before.
    ///
    /// # Refusals
    /// See [`AppendRefusal`].
    pub async fn append_frame(
        &self,
        fence: Fence,
        frame: NewFrame,
    ) -> Result<Appended, Declined<AppendRefusal>> {
        let patch = frame.check()?;
        let call = AppendCall::new(fence, frame, patch);
        let appends = &self.inner.batchers.append;
        // Calls on a stream go through one flusher, since a second one would change what
        // the first decided on.
        let flusher = match is_large(&call.frame) {
            true => &appends.large,
            false => {
                &appends.small[fence.execution_id.uuid().as_u128() as usize % appends.small.len()]
            }
        };
        Ok(flusher.call(call).await??)
    }

    /// Appends frames in their order, and answers each. A refused one is left out, and
    /// hinders no other.
    ///
    /// # Refusals
    /// See [`AppendRefusal`].
    pub async fn append_frames(
        &self,
        fence: Fence,
        mut frames: Vec<NewFrame>,
    ) -> Vec<Result<Appended, Declined<AppendRefusal>>> {
        let mut answers = Vec::with_capacity(frames.len());
        // Each run has one flusher, which takes calls in the order they were begun in.
        while let Some(first) = frames.first() {
            let large = is_large(first);
            let next = frames.iter().position(|frame| is_large(frame) != large);
            let rest = frames.split_off(next.unwrap_or(frames.len()));
            let run = std::mem::replace(&mut frames, rest).into_iter();
            let appends = run.map(|frame| self.append_frame(fence, frame));
            answers.extend(join_all(appends).await);
        }
        answers
    }
}
