//! How large the log of events is, as far as a bound of it needs to know.

use crate::{Engine, Error};

/// Pages whose rows are measured.
const PAGES: f64 = 256.0;

impl Engine {
    /// Returns how many rows the log has beyond its bound in bytes, as estimated; zero
    /// without a bound.
    pub(super) async fn rows_beyond_bytes(&self) -> Result<i64, Error> {
        let Some(max) = self.inner.retention.events_bytes_max() else {
            return Ok(0);
        };
        let size = sqlx::query_file!(
            "src/reconcile/retention/log_bytes.sql",
            self.last_stripe(),
            PAGES
        )
        .fetch_one(&self.inner.reads)
        .await?;
        Ok(beyond(size.rows, size.row_bytes, max))
    }
}

fn beyond(rows: i64, row_bytes: f64, max: u64) -> i64 {
    let bytes = rows as f64 * row_bytes - max as f64;
    (bytes / row_bytes).ceil().max(0.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_beyond_a_bound_are_those_that_bring_the_log_back_to_it() {
        assert_eq!(beyond(0, 44.0, 1000), 0);
        assert_eq!(beyond(10, 100.0, 1000), 0);
        assert_eq!(beyond(11, 100.0, 1000), 1);
        assert_eq!(beyond(1000, 100.0, 1050), 990);
    }
}
