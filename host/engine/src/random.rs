//! New ids and random numbers: the one place in this crate that reads the host's clock
//! and draws at random.
//!
//! The host's clock only orders ids; every question about time is decided by the
//! clock of the database.

use std::time::{SystemTime, UNIX_EPOCH};

use model::{ExecutionId, FlowId, Partition, Partitions};
use ring::rand::{SecureRandom as _, SystemRandom};
use uuid::Uuid;

/// Returns the id of a new execution, on the partition of its idempotency key; on a
/// random one without a key.
pub(crate) fn execution_id(
    partitions: Partitions,
    namespace: &str,
    key: Option<&str>,
) -> ExecutionId {
    let random = bits();
    let partition = match key {
        Some(key) => partitions.of_key(namespace, key),
        None => partitions.of_random(random >> 8),
    };
    ExecutionId::from_parts(partition, unix_ms(), random)
}

/// Returns the id of a new execution on a given partition.
pub(crate) fn execution_id_on(partition: Partition) -> ExecutionId {
    ExecutionId::from_parts(partition, unix_ms(), bits())
}

/// Returns the id of a new flow: on the partition of its idempotency key, or on a random one.
pub(crate) fn flow_id(partitions: Partitions, namespace: &str, key: Option<&str>) -> FlowId {
    FlowId::from_uuid(execution_id(partitions, namespace, key).uuid())
}

/// Returns ids of new executions on a partition, in ascending order.
pub(crate) fn ordered_execution_ids(partition: Partition, count: usize) -> Vec<ExecutionId> {
    let now = unix_ms();
    // 14 of the 62 bits count, as many as members of a flow need.
    let id = |at| ExecutionId::from_parts(partition, now, (at << 48) | (bits() >> 16));
    (0..count as u64).map(id).collect()
}

/// Returns a random number in `0.0..1.0`.
pub(crate) fn unit() -> f64 {
    (bits() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Returns a random number of any sign.
pub(crate) fn number() -> i64 {
    bits() as i64
}

/// Returns a random UUID.
pub(crate) fn uuid() -> Uuid {
    Uuid::new_v4()
}

/// Returns a UUID above those that this host made before: in the order of ids, rows are
/// in the order in which they were made.
pub(crate) fn ordered_uuid() -> Uuid {
    Uuid::now_v7()
}

/// Draws bytes that cannot be guessed: keys and nonces.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("invariant: the system has random numbers");
    bytes
}

/// Returns 64 bits, all but two of them random.
fn bits() -> u64 {
    Uuid::new_v4().as_u64_pair().1.rotate_left(2)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where ids take their time from the host"
)]
fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
