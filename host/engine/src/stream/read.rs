//! read: frames of a stream between two cursors.

use model::StreamRefusal;

use super::{ReadStream, StreamPage};
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
        unimplemented!()
    }
}
