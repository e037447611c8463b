//! The verb: what is checked before the statement.

use model::{AppendRefusal, Fence, NewFrame};

use super::call::AppendCall;
use crate::stream::Appended;
use crate::{Declined, Engine};

/// Bytes of payload from which on a call does not share a flusher with small ones.
const LARGE_BYTES: usize = 64 << 10;

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
        let flusher = match call.frame.payload.len() {
            LARGE_BYTES.. => &appends.large,
            _ => &appends.small[fence.execution_id.uuid().as_u128() as usize % appends.small.len()],
        };
        Ok(flusher.call(call).await??)
    }
}
