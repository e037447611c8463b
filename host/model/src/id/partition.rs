//! Partitions: by which number rows are kept, and where a key belongs.

use serde::{Deserialize, Serialize};

use crate::fnv::Fnv;

/// Most partitions an instance may have: what 12 bits of an id can number.
pub const PARTITIONS_MAX: u16 = 4096;

/// A partition number, `0..PARTITIONS_MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Partition(u16);

impl Partition {
    /// Returns partition `number`, or `None` above the bound.
    pub const fn new(number: u16) -> Option<Self> {
        if number < PARTITIONS_MAX {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Returns the partition that the low 12 bits of a number name.
    pub(super) const fn of_low_bits(number: u64) -> Self {
        Self((number % PARTITIONS_MAX as u64) as u16)
    }

    /// Returns the number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Returns the number as the database stores it (`smallint`).
    pub const fn column(self) -> i16 {
        self.0 as i16
    }
}

/// How many partitions this instance was created with, `1..=PARTITIONS_MAX`.
///
/// Fixed for the life of an instance, because idempotency keys are found by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitions(u16);

impl Partitions {
    /// Returns a count, or `None` outside `1..=PARTITIONS_MAX`.
    pub const fn new(count: u16) -> Option<Self> {
        if count >= 1 && count <= PARTITIONS_MAX {
            Some(Self(count))
        } else {
            None
        }
    }

    /// Returns the count.
    pub const fn count(self) -> u16 {
        self.0
    }

    /// Returns every partition, in order.
    pub fn all(self) -> impl Iterator<Item = Partition> {
        (0..self.0).map(Partition)
    }

    /// Returns the partition of an idempotency key, so that its row and the
    /// execution share one: FNV-1a (64 bit) over namespace, a zero byte and
    /// the key, modulo the count.
    pub fn of_key(self, namespace: &str, key: &str) -> Partition {
        let mut hash = Fnv::new();
        hash.write(namespace.as_bytes());
        hash.write(&[0]);
        hash.write(key.as_bytes());
        self.of_random(hash.0)
    }

    /// Returns the partition a random number falls on.
    pub const fn of_random(self, random: u64) -> Partition {
        Partition((random % self.0 as u64) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_falls_on_the_same_partition_every_time() {
        let partitions = Partitions::new(64).expect("in range");
        let one = partitions.of_key("default", "order-1");
        assert_eq!(one, partitions.of_key("default", "order-1"));
        assert_ne!(
            Partitions::new(4096).expect("in range").of_key("ab", "c"),
            Partitions::new(4096).expect("in range").of_key("a", "bc"),
            "the boundary between namespace and key is part of the hash"
        );
    }
}
