//! unused_waitpoints: waited longer for its suspension than it may → expired.

use super::SWEEP_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Closes waitpoints nobody suspended on in time; returns how many.
    pub(crate) async fn unused_waitpoints(&self) -> Result<u64, Error> {
        let expired = sqlx::query_file_scalar!("src/reconcile/unused_waitpoints.sql", SWEEP_MAX)
            .fetch_all(&self.inner.verbs)
            .await?;
        Ok(expired.len() as u64)
    }
}
