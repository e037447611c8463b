//! Which workers may run an execution.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::NotOffered;
use crate::{Invalid, Limits, RefusalCode, check_range, ensure, quoted};

impl Limits {
    /// Most required or offered capabilities.
    pub const CAPABILITIES_MAX: usize = 256;
    /// Most bytes of all capabilities together.
    pub const CAPABILITIES_BYTES_MAX: usize = 4096;
}

/// Which workers may run an execution.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoutingRequirements {
    /// Capabilities that a worker must offer, at most [`Limits::CAPABILITIES_MAX`];
    /// compared byte by byte.
    pub required_capabilities: BTreeSet<String>,
    /// The preferred location of the worker; not offered.
    #[serde(skip_serializing)]
    pub preferred_locality: NotOffered,
    /// The required isolation from other executions; not offered.
    #[serde(skip_serializing)]
    pub isolation_level: NotOffered,
}

/// Checks a set of capabilities: at most 256 of them and 4096 bytes; each
/// non-empty, without comma, white space or control characters.
pub fn capabilities(field: &'static str, set: &BTreeSet<String>) -> Result<(), Invalid> {
    bounded(field, set).map_err(|invalid| invalid.coded(RefusalCode::InvalidCapabilities))
}

fn bounded(field: &'static str, set: &BTreeSet<String>) -> Result<(), Invalid> {
    check_range(field, set.len(), 0..=Limits::CAPABILITIES_MAX)?;
    let bytes = set.iter().map(String::len).sum();
    check_range(field, bytes, 0..=Limits::CAPABILITIES_BYTES_MAX)?;
    let plain = |b: u8| b > 0x20 && b != 0x7f && b != b',';
    set.iter().try_for_each(|token| {
        ensure(field, !token.is_empty() && token.bytes().all(plain), || {
            format!(
                "{} is not a valid capability: it must not be empty or hold commas, spaces or control characters",
                quoted(token)
            )
        })
    })
}
