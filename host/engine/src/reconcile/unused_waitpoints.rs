//! unused_waitpoints: waited longer for its suspension than it may → expired. No event.

use super::sweeps::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Closes waitpoints that no execution suspended on in time; returns their number.
    pub(crate) async fn unused_waitpoints(&self) -> Result<u64, Error> {
        let expired = sqlx::query_file_scalar!("src/reconcile/unused_waitpoints.sql", SWEEP_MAX)
            .fetch_all(&self.inner.verbs)
            .await?;
        Ok(expired.len() as u64)
    }
}
