//! unused_classes: no execution and no event is of a class, and no host used it for a day →
//! removed. No event.
//!
//! Classes are walked in the order of their ids, a part in each run. One that no host used
//! for a day and no execution is of is marked; events of it may still be kept. It is removed
//! when all events are younger than the mark, unless a host used it again. Whether an
//! execution is of it is looked up among those of its kind and those of its namespace; where
//! both are many, the class stays.

use crate::{Engine, Error};

/// Classes that one run looks at.
const LOOK_MAX: i64 = 1000;

impl Engine {
    /// Removes and marks unused classes; returns the number of those removed.
    pub(crate) async fn unused_classes(&self) -> Result<u64, Error> {
        let place = &self.inner.sweeps.unused_classes_cursor;
        let after = *place.lock();
        let row = sqlx::query_file!(
            "src/reconcile/retention/unused_classes.sql",
            after,
            LOOK_MAX,
            self.last_stripe()
        )
        .fetch_one(&self.inner.verbs)
        .await?;
        *place.lock() = match row.looked == LOOK_MAX {
            true => row.last.unwrap_or_default(),
            false => 0,
        };
        Ok(row.removed.unsigned_abs())
    }
}
