//! Ids of frames: a time and a sequence number, in the order of appending.

use std::fmt;

/// The id of a frame in its stream, written `<ms>-<seq>`. Each is greater than every id
/// that could be read from the stream before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FrameId {
    /// Milliseconds since 1970 by the database's clock, or those of the frame before
    /// where the clock has not advanced.
    pub ms: u64,
    /// Number among the frames of that millisecond, from zero.
    pub seq: u64,
}

/// Bits of a place that hold the sequence number.
const SEQ_BITS: u32 = 20;
const SEQ_MAX: u64 = (1 << SEQ_BITS) - 1;
const MS_MAX: u64 = i64::MAX as u64 >> SEQ_BITS;

impl FrameId {
    /// The id before every frame.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };

    /// Returns the id as one number in the order of ids, as the database stores it. Ids
    /// beyond what a frame can have become the nearest that one can.
    pub const fn place(self) -> i64 {
        if self.ms > MS_MAX {
            return i64::MAX;
        }
        let seq = if self.seq > SEQ_MAX {
            SEQ_MAX
        } else {
            self.seq
        };
        ((self.ms << SEQ_BITS) | seq) as i64
    }

    /// Returns the id of such a number.
    pub const fn from_place(place: i64) -> Self {
        let place = if place < 0 { 0 } else { place as u64 };
        Self {
            ms: place >> SEQ_BITS,
            seq: place & SEQ_MAX,
        }
    }

    /// Returns the smallest id after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::from_place(self.place().saturating_add(1))
    }
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_number_in_the_same_order() {
        let ids = [
            (0, 0),
            (0, 1),
            (0, SEQ_MAX),
            (1, 0),
            (1_713_100_800_150, 7),
            (MS_MAX, SEQ_MAX),
        ];
        let ids = ids.map(|(ms, seq)| FrameId { ms, seq });
        assert!(ids.is_sorted());
        assert!(ids.map(FrameId::place).is_sorted());
        for id in ids {
            assert_eq!(FrameId::from_place(id.place()), id);
        }
        assert_eq!(ids[2].next(), ids[3], "the sequence carries");
        assert_eq!(ids[5].next(), ids[5], "there is no greater one");
        assert_eq!(ids[4].to_string(), "1713100800150-7");
    }

    #[test]
    fn an_id_that_no_frame_can_have_is_at_the_nearest_place() {
        let far = FrameId {
            ms: u64::MAX,
            seq: u64::MAX,
        };
        assert_eq!(far.place(), i64::MAX);
        let seq = FrameId {
            ms: 5,
            seq: u64::MAX,
        };
        assert_eq!(
            FrameId::from_place(seq.place()),
            FrameId {
                ms: 5,
                seq: SEQ_MAX
            }
        );
        assert_eq!(FrameId::from_place(-1), FrameId::ZERO);
    }
}
