//! What a sandbox asks of the budget before it is opened.

/// The resources with which a sandbox is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) memories: u64,
    pub(crate) tables: u64,
    /// Everything it takes of the budget, in bytes.
    pub(crate) bytes: u64,
    /// The part of `bytes` that its meter will count.
    pub(crate) metered_bytes: u64,
}
