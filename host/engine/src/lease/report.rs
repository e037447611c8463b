//! What an attempt used and logged, as the statements that end leases record it.

use model::Usage;

/// What an attempt used and logged, recorded with its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The row of the component that ran; absent for other workers.
    pub component_id: Option<i32>,
    /// What it used, where its host measured that.
    pub usage: Option<Usage>,
    /// What it logged: UTF-8 text, one record per line; absent if nothing.
    pub log: Option<Vec<u8>>,
}

impl Report {
    /// Returns the bytes of its log.
    pub(crate) fn bytes(&self) -> usize {
        self.log.as_ref().map_or(0, Vec::len)
    }
}
