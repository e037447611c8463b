//! The room one sandbox has, from before it is opened until after it is closed, and
//! what its meter draws from.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::needs::Wanted;
use super::parts::Parts;
use super::shared::Room;

/// The room of one sandbox; given back when dropped, which is to be after its store.
#[derive(Debug)]
pub(crate) struct Seat {
    room: Arc<Room>,
    /// Counts up with each sandbox, so that it tells the older of two.
    number: u64,
    parts: Parts,
    held: Arc<Held>,
    /// Bytes it was opened with that its meter counts.
    metered_bytes: u64,
}

/// What a sandbox has now. Changed under the lock of the line only.
#[derive(Debug)]
pub(super) struct Held {
    bytes: AtomicU64,
    leaving: AtomicBool,
}

impl Held {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Whether it stops for want of room.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Notes that it stops for want of room; says whether that is new.
    pub(super) fn leave(&self) -> bool {
        !self.leaving.swap(true, Ordering::Relaxed)
    }
}

/// Why a sandbox cannot grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// Others have what it wants.
    Full,
    /// It alone would hold more than one may on this host.
    Never {
        /// What one may hold.
        max: u64,
    },
}

impl Seat {
    pub(super) fn new(room: Arc<Room>, number: u64, parts: Parts, wanted: &Wanted) -> Arc<Self> {
        Arc::new(Self {
            room,
            number,
            parts,
            held: Arc::new(Held {
                bytes: AtomicU64::new(parts.bytes()),
                leaving: AtomicBool::new(false),
            }),
            metered_bytes: wanted.metered_bytes,
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns what it was opened with.
    pub(super) fn parts(&self) -> Parts {
        self.parts
    }

    pub(super) fn held(&self) -> &Arc<Held> {
        &self.held
    }

    /// Takes more bytes at once, or says that there are none.
    pub(crate) fn try_grow(&self, more: u64) -> Result<(), NoRoom> {
        self.room.try_grow(self, more)
    }

    /// Takes more bytes, waiting for them as long as that may help.
    pub(crate) async fn grow(&self, more: u64) -> Result<(), NoRoom> {
        self.room.grow(self, more).await
    }

    /// Gives bytes back.
    pub(crate) fn shrink(&self, less: u64) {
        self.room.shrink(self, less);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.close(self.parts, &self.held);
    }
}

/// Bytes drawn from the room of a sandbox. The room is asked only when what it gave
/// before is used up, and gets back what is not used for long.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// None where nothing is shared: a sandbox by itself.
    seat: Option<Arc<Seat>>,
    /// Bytes of the room that are not used.
    spare: u64,
}

/// Bytes asked for at once: a page of linear memory.
const STEP: u64 = 64 << 10;
/// Most bytes kept that are not used, once some were returned.
const SPARE_MAX: u64 = 512 << 10;

impl Allowance {
    /// Draws from the room a sandbox was opened with.
    pub(crate) fn of(seat: Arc<Seat>) -> Self {
        Self {
            spare: seat.metered_bytes,
            seat: Some(seat),
        }
    }

    /// Draws bytes at once, or says that there are none.
    pub(crate) fn draw(&mut self, bytes: u64) -> Result<(), NoRoom> {
        if let Some((seat, more)) = self.lacks(bytes) {
            seat.try_grow(more)?;
            self.spare += more;
        }
        self.spare = self.spare.saturating_sub(bytes);
        Ok(())
    }

    /// Draws bytes, waiting for them as long as that may help.
    pub(crate) async fn wait_for(&mut self, bytes: u64) -> Result<(), NoRoom> {
        if let Some((seat, more)) = self.lacks(bytes) {
            seat.grow(more).await?;
            self.spare += more;
        }
        self.spare = self.spare.saturating_sub(bytes);
        Ok(())
    }

    /// Returns bytes that were drawn.
    pub(crate) fn put_back(&mut self, bytes: u64) {
        let Some(seat) = &self.seat else { return };
        self.spare += bytes;
        if self.spare > SPARE_MAX {
            seat.shrink(std::mem::take(&mut self.spare));
        }
    }

    fn lacks(&self, bytes: u64) -> Option<(&Seat, u64)> {
        let seat = self.seat.as_deref()?;
        let more = bytes.checked_sub(self.spare).filter(|more| *more > 0)?;
        Some((seat, more.next_multiple_of(STEP)))
    }
}
