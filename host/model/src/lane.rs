//! Whether a lane takes and serves work.

use crate::wire::named;

named! {
    /// Whether a lane takes and serves work. Labels of the Postgres enum
    /// `lane_state`.
    pub enum LaneState ("lane state") {
        /// Takes work and serves it.
        Active = "active",
        /// Takes work and does not serve it.
        Paused = "paused",
        /// Takes no new work and serves what it has.
        Draining = "draining",
        /// Takes no new work and serves none.
        Disabled = "disabled",
    }
}

impl LaneState {
    /// Returns whether executions are served.
    pub const fn serves(self) -> bool {
        matches!(self, Self::Active | Self::Draining)
    }

    /// Returns whether new executions are taken.
    pub const fn takes_work(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }
}
