//! Ids, the fence made of them, and digests: values that are compared and never
//! interpreted, but for the partition that a routed id carries.

mod attempt;
mod digest;
mod fence;
mod partition;
mod random;
mod routed;

pub(crate) use random::random_id;

pub use attempt::AttemptId;
pub use digest::{Digest, DigestError};
pub use fence::Fence;
pub use partition::{PARTITIONS_MAX, Partition, Partitions};
pub use random::LeaseId;
pub use routed::{ExecutionId, FlowId, IdError};
