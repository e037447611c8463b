//! Waiting for a condition instead of sleeping.

use std::time::{Duration, Instant};

/// Waits until `check` returns a value, asking every few milliseconds.
///
/// # Panics
/// After a minute, naming what was waited for.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
