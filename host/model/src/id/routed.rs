//! Ids that route themselves: UUIDv7 whose 12-bit `rand_a` field is the
//! partition.
//!
//! ```text
//!  0                   48   52              64  66                       128
//!  | unix milliseconds | 7 | partition (12) | 2 | random (62 bits)        |
//! ```
//!
//! A plain `uuid` column and a plain URL segment hold one; members of a flow
//! share the flow's partition.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How many partitions an instance may have: what 12 bits can number.
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
/// Fixed for the life of an instance: idempotency keys are found by it.
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
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in namespace.bytes().chain([0]).chain(key.bytes()) {
            hash ^= u64::from(byte);
            hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
        }
        Partition((hash % u64::from(self.0)) as u16)
    }

    /// Returns the partition a random number falls on.
    pub const fn of_random(self, random: u64) -> Partition {
        Partition((random % self.0 as u64) as u16)
    }
}

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a UUID.
    #[error("`{0}` is no id: expected a UUID")]
    InvalidUuid(String),
    /// The ancestor's `{fp:N}:` prefix is malformed.
    #[error("`{0}` is no id: the prefix before the UUID must read {{fp:N}}:")]
    InvalidPartitionTag(String),
    /// The prefix names another partition than the UUID carries.
    #[error("`{0}` is no id: its prefix names another partition than its UUID")]
    PartitionMismatch(String),
}

macro_rules! routed_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize,
        )]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Assembles an id from its parts; only the low 62 bits of
            /// `random` are used.
            pub const fn from_parts(partition: Partition, unix_ms: u64, random: u64) -> Self {
                let high = (unix_ms << 16) | 0x7000 | partition.0 as u64;
                let low = (random & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
                Self(Uuid::from_u64_pair(high, low))
            }

            /// Wraps a UUID read from the database.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Returns whether the id has the form of [`Self::from_parts`]: a
            /// version 7 UUID.
            pub const fn is_routed(self) -> bool {
                let (high, low) = self.0.as_u64_pair();
                high & 0xf000 == 0x7000 && low >> 62 == 0b10
            }

            /// Returns the partition the id carries.
            pub const fn partition(self) -> Partition {
                Partition((self.0.as_u64_pair().0 & 0x0fff) as u16)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            /// Reads a UUID, or the ancestor's `{fp:N}:<uuid>`.
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_routed(text).map(Self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

routed_id!(
    /// Names one execution.
    ExecutionId
);
routed_id!(
    /// Names one flow; its members share its partition.
    FlowId
);

fn parse_routed(text: &str) -> Result<Uuid, IdError> {
    let Some(rest) = text.strip_prefix("{fp:") else {
        return hyphenated(text, text);
    };
    let tag_error = || IdError::InvalidPartitionTag(shown(text));
    let (number, uuid) = rest.split_once("}:").ok_or_else(tag_error)?;
    let number: u16 = number.parse().map_err(|_| tag_error())?;
    let uuid = hyphenated(uuid, text)?;
    if (uuid.as_u64_pair().0 & 0x0fff) as u16 == number {
        Ok(uuid)
    } else {
        Err(IdError::PartitionMismatch(shown(text)))
    }
}

/// Only the 36-character form is an id, so that one id has one spelling but
/// for the case of its digits.
fn hyphenated(text: &str, whole: &str) -> Result<Uuid, IdError> {
    match Uuid::try_parse(text) {
        Ok(uuid) if text.len() == 36 => Ok(uuid),
        _ => Err(IdError::InvalidUuid(shown(whole))),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition(0x123);

    #[test]
    fn an_id_is_a_version_7_uuid_that_carries_its_partition_and_time() {
        let id = ExecutionId::from_parts(P, 0x0193_5000_0000, u64::MAX);
        assert_eq!(id.uuid().get_version_num(), 7);
        assert_eq!(id.uuid().get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.partition(), P);
        assert!(id.is_routed());
        for other in [
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "9b2e4f6a-1c3d-4e5f-8a7b-0c1d2e3f4a5b",
            "01990000-0000-7000-0000-000000000000",
            "01990000-0000-8000-8000-000000000000",
        ] {
            let id: ExecutionId = other.parse().expect("a UUID");
            assert!(!id.is_routed(), "{other}");
        }
        assert_eq!(id.uuid().as_u64_pair().0 >> 16, 0x0193_5000_0000);
    }

    #[test]
    fn both_spellings_are_read_and_nothing_else() {
        let id = ExecutionId::from_parts(P, 1, 2);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(format!("{{fp:{}}}:{id}", 0x123).parse(), Ok(id));
        for wrong in [
            String::new(),
            "x".into(),
            id.uuid().simple().to_string(),
            format!("{{fp:7}}:{id}"),
            format!("{{fp:}}:{id}"),
            format!("{{fp:291}}{id}"),
        ] {
            assert!(wrong.parse::<ExecutionId>().is_err(), "{wrong}");
        }
    }

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
