//! Ids and digests: names that are compared and never interpreted, but for the
//! partition that a routed id carries.

mod digest;
mod random;
mod routed;

pub(crate) use random::random_id;

pub use digest::{Digest, DigestError};
pub use random::LeaseId;
pub use routed::{ExecutionId, FlowId, IdError, PARTITIONS_MAX, Partition, Partitions};
