//! The bound that durations share.

use crate::{Invalid, Limits, check_range};

/// Checks a duration in milliseconds that may be 0.
pub fn duration(field: &'static str, value: u64) -> Result<(), Invalid> {
    check_range(field, value, 0..=Limits::DURATION_MS_MAX)
}

/// Checks a time limit in milliseconds, which may be absent but not 0.
pub fn time_limit(field: &'static str, value: Option<u64>) -> Result<(), Invalid> {
    match value {
        None => Ok(()),
        Some(value) => check_range(field, value, 1..=Limits::DURATION_MS_MAX),
    }
}
