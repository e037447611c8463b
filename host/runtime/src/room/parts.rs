//! The parts that room is counted in, and how they are shared between small and big
//! sandboxes.

use super::needs::Wanted;
use super::size::{MEMORIES_EACH, TABLES_EACH};

/// What may be had of each part without being one that takes much.
pub(super) const SMALL: Parts = Parts([1, MEMORIES_EACH, TABLES_EACH, 2 << 20]);
const BYTES: usize = 3;

/// Numbers of sandboxes, memories, tables and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts(pub(super) [u64; 4]);

impl Parts {
    pub(super) const NONE: Self = Self([0; 4]);

    /// Returns what a sandbox takes when it is opened.
    pub(super) fn of(wanted: &Wanted) -> Self {
        Self([1, wanted.memories, wanted.tables, wanted.bytes])
    }

    pub(super) fn bytes(self) -> u64 {
        self.0[BYTES]
    }

    pub(super) fn with_bytes(mut self, bytes: u64) -> Self {
        self.0[BYTES] = bytes;
        self
    }

    /// Returns the share of a sandbox that takes this.
    pub(super) fn shares(self) -> Shares {
        let (small, big) = if self.within(SMALL) {
            (self, Self::NONE)
        } else {
            (Self::NONE, self)
        };
        Shares { small, big }
    }

    pub(super) fn each(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|at| f(self.0[at], other.0[at])))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.each(other, u64::saturating_sub)
    }

    pub(super) fn within(self, other: Self) -> bool {
        self.0.iter().zip(other.0).all(|(has, max)| *has <= max)
    }

    /// Returns so many quarters of it, and all sandboxes: there are more of them than
    /// attempts that run.
    pub(super) fn quarters(self, number: u64) -> Self {
        let mut quarters = self.0.map(|part| part / 4 * number);
        quarters[0] = self.0[0];
        Self(quarters)
    }
}

/// What small sandboxes have, and what big ones do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) small: Parts,
    pub(super) big: Parts,
}

impl Shares {
    pub(super) const NONE: Self = Self {
        small: Parts::NONE,
        big: Parts::NONE,
    };

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            small: self.small.plus(other.small),
            big: self.big.plus(other.big),
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            small: self.small.minus(other.small),
            big: self.big.minus(other.big),
        }
    }

    pub(super) fn sum(self) -> Parts {
        self.small.plus(self.big)
    }

    pub(super) fn is_big(&self) -> bool {
        self.big != Parts::NONE
    }
}
