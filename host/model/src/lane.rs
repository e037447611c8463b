//! Lanes: whether they accept and serve executions.

use crate::Limits;
use crate::wire::named;

impl Limits {
    /// Bounds of the weight of a lane or a namespace; the default is 100.
    pub const WEIGHT: std::ops::RangeInclusive<u16> = 1..=1000;
}

named! {
    /// Whether a lane accepts and serves executions. Labels of the Postgres enum
    /// `lane_state`.
    pub enum LaneState ("lane state") {
        /// It accepts new executions and serves them.
        Active = "active",
        /// It accepts new executions and serves none.
        Paused = "paused",
        /// It accepts no new executions and serves those it has.
        Draining = "draining",
        /// It accepts no new executions and serves none.
        Disabled = "disabled",
    }
}

impl LaneState {
    /// Returns whether its executions are claimed.
    pub const fn serves(self) -> bool {
        matches!(self, Self::Active | Self::Draining)
    }

    /// Returns whether it accepts new executions.
    pub const fn takes_work(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }
}
