//! What an attempt used and logged, as the statements that end leases record it.

use model::Usage;

use crate::row::{bigint, int};

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

/// Reports as the arrays of a statement, one element per lease.
#[derive(Default)]
pub(crate) struct Reports<'a> {
    pub(crate) logs: Vec<Option<&'a [u8]>>,
    pub(crate) components: Vec<Option<i32>>,
    pub(crate) cpu_ticks: Vec<Option<i32>>,
    pub(crate) memory: Vec<Option<i64>>,
    pub(crate) host_calls: Vec<Option<i32>>,
    pub(crate) bytes_out: Vec<Option<i64>>,
    pub(crate) wall_us: Vec<Option<i64>>,
}

impl<'a> Reports<'a> {
    pub(crate) fn push(&mut self, report: &'a Report) {
        self.logs.push(report.log.as_deref());
        self.components.push(report.component_id);
        let usage = report.usage;
        self.cpu_ticks.push(usage.map(|u| int(u.cpu_ticks)));
        self.memory.push(usage.map(|u| bigint(u.memory_peak_bytes)));
        self.host_calls.push(usage.map(|u| int(u.host_calls)));
        self.bytes_out.push(usage.map(|u| bigint(u.bytes_out)));
        self.wall_us.push(usage.map(|u| bigint(u.wall_us)));
    }
}
