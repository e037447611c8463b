//! The resources that the budget counts, and how small and big sandboxes share them.

use super::Demand;
use super::pool_size::{MEMORIES_EACH, TABLES_EACH};

/// The most of each resource that a small sandbox has; one with more of any is big.
pub(super) const SMALL_MAX: Resources = Resources([1, MEMORIES_EACH, TABLES_EACH, 2 << 20]);
const BYTES: usize = 3;

/// A number of sandboxes, memories, tables and bytes, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resources(pub(super) [u64; 4]);

impl Resources {
    pub(super) const NONE: Self = Self([0; 4]);

    /// Returns what a sandbox takes when it is opened.
    pub(super) fn of(demand: &Demand) -> Self {
        Self([1, demand.memories, demand.tables, demand.bytes])
    }

    pub(super) fn bytes(self) -> u64 {
        self.0[BYTES]
    }

    pub(super) fn with_bytes(mut self, bytes: u64) -> Self {
        self.0[BYTES] = bytes;
        self
    }

    /// Returns these resources as the share of one sandbox that has them.
    pub(super) fn shares(self) -> Shares {
        let (small, big) = if self.within(SMALL_MAX) {
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

    /// Returns `number` quarters of each, but all sandboxes: there are more of them than
    /// attempts that run.
    pub(super) fn quarters(self, number: u64) -> Self {
        let mut quarters = self.0.map(|each| each / 4 * number);
        quarters[0] = self.0[0];
        Self(quarters)
    }
}

/// The resources of small sandboxes and those of big ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) small: Resources,
    pub(super) big: Resources,
}

impl Shares {
    pub(super) const NONE: Self = Self {
        small: Resources::NONE,
        big: Resources::NONE,
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

    pub(super) fn sum(self) -> Resources {
        self.small.plus(self.big)
    }

    pub(super) fn is_big(&self) -> bool {
        self.big != Resources::NONE
    }
}
