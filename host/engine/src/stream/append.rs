//! append: one frame under a lease.

use model::{AppendRefusal, Fence, NewFrame};

use super::Appended;
use crate::{Declined, Engine};

impl Engine {
    /// Appends a frame to the stream of the attempt that runs under a lease.
    ///
    /// Calls in flight share a statement. Of two calls the later gets the greater id if
    /// the first had been answered; whatever is appended has a greater id than every frame
    /// that could be read before.
    ///
    /// # Refusals
    /// See [`AppendRefusal`].
    pub async fn append_frame(
        &self,
        fence: Fence,
        frame: NewFrame,
    ) -> Result<Appended, Declined<AppendRefusal>> {
        let _ = (fence, frame.check()?);
        unimplemented!()
    }
}
