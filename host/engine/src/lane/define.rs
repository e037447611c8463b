//! set: a lane's state and weight. Locks: the lane's row. No event.

use model::{Invalid, LaneState, Limits};

use crate::{Declined, Engine};

impl Engine {
    /// Sets whether a lane takes and serves work, and its share of service, 1 to 1000;
    /// what is not given stays as it is. Makes the lane if there is none, active and of
    /// weight 100 unless given. Every host acts on it within a second.
    ///
    /// # Refusals
    /// The name or the weight breaks a bound.
    pub async fn set_lane(
        &self,
        name: &str,
        state: Option<LaneState>,
        weight: Option<u16>,
    ) -> Result<(), Declined<Invalid>> {
        model::lane_name(name)?;
        weight.map_or(Ok(()), check_weight)?;
        sqlx::query!(
            "INSERT INTO lane (name, state, weight)
             VALUES ($1, coalesce($2::text::lane_state, 'active'), coalesce($3::smallint, 100))
             ON CONFLICT (name) DO UPDATE
             SET state = coalesce($2::text::lane_state, lane.state),
                 weight = coalesce($3::smallint, lane.weight)",
            name,
            state.map(LaneState::as_str),
            weight.map(|weight| weight as i16)
        )
        .execute(&self.inner.reads)
        .await?;
        self.inner.caches.lanes.forget();
        self.inner.wake.ready();
        Ok(())
    }
}

/// Checks the weight of a lane or a namespace.
pub(super) fn check_weight(weight: u16) -> Result<(), Invalid> {
    model::check_range("weight", weight, Limits::WEIGHT)
}
