//! Arguments that break a documented bound.
//!
//! Some nouns have a code of their own for that, such as `invalid_tag_key`: it is given by
//! the check of the noun, so that every verb that takes one answers by the same name.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::RefusalCode;

/// An argument that breaks a documented bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Invalid {
    /// The name of the fault in every interface: that of the noun whose check the
    /// argument breaks, or `invalid_input`.
    pub code: RefusalCode,
    /// The argument, as it is called on the wire.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub detail: String,
}

impl Invalid {
    /// Names an argument and what is wrong with it.
    pub fn new(field: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code: RefusalCode::InvalidInput,
            field,
            detail: detail.into(),
        }
    }

    /// Gives it the code of a noun.
    #[must_use]
    pub fn coded(self, code: RefusalCode) -> Self {
        Self { code, ..self }
    }

    /// Names the argument as one of several requests does.
    #[must_use]
    pub fn about(self, field: &'static str) -> Self {
        Self { field, ..self }
    }
}

/// Checks a bound of the argument `field`; `detail` says what is wrong where it does not
/// hold.
pub fn ensure<D: Into<String>>(
    field: &'static str,
    holds: bool,
    detail: impl FnOnce() -> D,
) -> Result<(), Invalid> {
    if holds {
        Ok(())
    } else {
        Err(Invalid::new(field, detail()))
    }
}

/// Checks that the argument `field` is within its bounds.
pub fn check_range<T: PartialOrd + Display>(
    field: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), Invalid> {
    ensure(field, range.contains(&value), || {
        let (min, max) = range.into_inner();
        format!("{value} is out of range: {min} to {max}")
    })
}
