//! Arguments that break a documented bound.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// An argument that breaks a documented bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Invalid {
    /// The argument, as it is called on the wire.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub detail: String,
}

impl Invalid {
    /// Names an argument and what is wrong with it.
    pub fn new(field: &'static str, detail: impl Into<String>) -> Self {
        Self {
            field,
            detail: detail.into(),
        }
    }
}

/// Checks that the argument `field` is within its bounds.
pub fn check_range<T: PartialOrd + Display>(
    field: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), Invalid> {
    if range.contains(&value) {
        return Ok(());
    }
    let (min, max) = range.into_inner();
    let detail = format!("{value} is out of range: {min} to {max}");
    Err(Invalid::new(field, detail))
}
