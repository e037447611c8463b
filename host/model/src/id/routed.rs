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

use serde::Serialize;
use uuid::Uuid;

use super::Partition;
use crate::quoted;
use crate::wire::deserialize_by_parsing;

/// Why a text is not the id of an execution or a flow; each variant quotes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// It is not a UUID of 36 characters.
    #[error("{0} is not a valid id: expected a UUID of 36 characters")]
    InvalidUuid(String),
    /// The prefix `{fp:N}:` of FlowFabric's ids is malformed.
    #[error("{0} is not a valid id: the prefix before the UUID must read {{fp:N}}:")]
    InvalidPartitionTag(String),
    /// The prefix names another partition than the UUID carries.
    #[error("{0} is not a valid id: its prefix names another partition than its UUID")]
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
                let high = (unix_ms << 16) | 0x7000 | partition.number() as u64;
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
                Partition::of_low_bits(self.0.as_u64_pair().0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            /// Reads a UUID, or FlowFabric's `{fp:N}:<uuid>`.
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_routed(text).map(Self)
            }
        }

        deserialize_by_parsing!($name);
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
    let tag_error = || IdError::InvalidPartitionTag(quoted(text));
    let (number, uuid) = rest.split_once("}:").ok_or_else(tag_error)?;
    let number: u16 = number.parse().map_err(|_| tag_error())?;
    let uuid = hyphenated(uuid, text)?;
    let carried = Partition::of_low_bits(uuid.as_u64_pair().0);
    if carried.number() == number {
        Ok(uuid)
    } else {
        Err(IdError::PartitionMismatch(quoted(text)))
    }
}

/// Parses a UUID of 36 characters and no other form, so that the spellings of one id
/// differ in the case of its digits only.
fn hyphenated(text: &str, whole: &str) -> Result<Uuid, IdError> {
    match Uuid::try_parse(text) {
        Ok(uuid) if text.len() == 36 => Ok(uuid),
        _ => Err(IdError::InvalidUuid(quoted(whole))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition::of_low_bits(0x123);

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
}
