//! tail: frames of a stream as they are appended.

use model::StreamRefusal;

use super::{StreamPage, TailStream};
use crate::{Declined, Engine};

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
        unimplemented!()
    }
}
