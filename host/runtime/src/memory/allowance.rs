//! Bytes that a meter draws from a reservation, in steps.

use std::sync::Arc;

use super::{GrowthRefusal, Reservation};

/// Bytes taken from the budget in one step: a page of linear memory.
const STEP_BYTES: u64 = 64 << 10;
/// Most unused bytes that stay with the sandbox once some were released.
const SPARE_BYTES_MAX: u64 = 512 << 10;

/// Bytes that a meter draws from a reservation. The budget is asked only when what the
/// sandbox was given before is used up, and gets back what stays unused.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// Absent if the sandbox shares its host with no other.
    reservation: Option<Arc<Reservation>>,
    /// Bytes of the reservation that are unused.
    spare: u64,
}

impl Allowance {
    /// Draws from the reservation a sandbox was opened with.
    pub(crate) fn of(reservation: Arc<Reservation>) -> Self {
        Self {
            spare: reservation.metered_bytes(),
            reservation: Some(reservation),
        }
    }

    /// Draws bytes if that many are free now.
    pub(crate) fn draw(&mut self, bytes: u64) -> Result<(), GrowthRefusal> {
        if let Some((reservation, more)) = self.lacks(bytes) {
            reservation.try_grow(more)?;
            self.spare += more;
        }
        self.spare = self.spare.saturating_sub(bytes);
        Ok(())
    }

    /// Draws bytes, waiting for them as long as that may help.
    pub(crate) async fn draw_waiting(&mut self, bytes: u64) -> Result<(), GrowthRefusal> {
        if let Some((reservation, more)) = self.lacks(bytes) {
            reservation.grow(more).await?;
            self.spare += more;
        }
        self.spare = self.spare.saturating_sub(bytes);
        Ok(())
    }

    /// Returns bytes that were drawn.
    pub(crate) fn release(&mut self, bytes: u64) {
        let Some(reservation) = &self.reservation else {
            return;
        };
        self.spare += bytes;
        if self.spare > SPARE_BYTES_MAX {
            reservation.shrink(std::mem::take(&mut self.spare));
        }
    }

    fn lacks(&self, bytes: u64) -> Option<(&Reservation, u64)> {
        let reservation = self.reservation.as_deref()?;
        let more = bytes.checked_sub(self.spare).filter(|more| *more > 0)?;
        Some((reservation, more.next_multiple_of(STEP_BYTES)))
    }
}
