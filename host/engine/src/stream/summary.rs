//! read_summary: the document that the patches of a stream have made.

use model::{ExecutionId, StreamRefusal};

use super::StreamSummary;
use crate::{Declined, Engine};

impl Engine {
    /// Reads the summary document of an attempt's stream; `None` if nothing was merged, or
    /// if it is not kept any more.
    ///
    /// # Refusals
    /// See [`StreamRefusal`].
    pub async fn read_summary(
        &self,
        id: ExecutionId,
        attempt: u32,
        namespace: Option<&str>,
    ) -> Result<Option<StreamSummary>, Declined<StreamRefusal>> {
        let _ = (id, attempt, namespace);
        unimplemented!()
    }
}
