//! How large the pool of sandboxes is: as many as may be open at once, which is no
//! more than the machine can hold.
//!
//! Slots of a worker are promises to work on something, and cost nothing; a sandbox
//! that can be open has a stack and a part of the address space from the start.
//! Four things bound their number, and [`PoolSize::bound`] names the one that did.

use super::MachineLimits;
use crate::settings::SandboxLimits;

/// Stack of a guest, in bytes.
pub(crate) const WASM_STACK_BYTES: usize = 512 << 10;
/// Memories there are for each sandbox: QuickJS with WASI has three.
pub(super) const MEMORIES_EACH: u64 = 4;
/// Tables there are for each sandbox.
pub(super) const TABLES_EACH: u64 = 8;
/// Most memories: each is given 4 GiB of addresses and a guard, and 128 TiB is
/// what a process has on the machines there are.
const MEMORIES_MAX: u64 = 24_000;
/// Mappings of a stack and of a memory that was used: what is written, the image
/// it began with, what may yet be written, what may not.
const MAPPINGS_PER_STACK: u64 = 2;
const MAPPINGS_PER_MEMORY: u64 = 4;
/// What a stack keeps once a guest went deep: all of the guest's part, and the
/// host's calls above it.
const STACK_TOUCHED_BYTES: u64 = WASM_STACK_BYTES as u64 + (64 << 10);
/// Most bytes of a memory, and of a table, that the pool keeps when they are closed.
const MEMORY_KEPT_BYTES_MAX: u64 = 512 << 10;
const TABLE_KEPT_BYTES_MAX: u64 = 64 << 10;

/// How many sandboxes may be open at once, and of what the pool consists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// Sandboxes open at once.
    pub sandboxes: u32,
    /// Linear memories of all of them.
    pub memories: u32,
    /// Tables of all of them.
    pub tables: u32,
    /// Bytes of a closed sandbox's memory the pool keeps, so that the next need not
    /// ask the system for them.
    pub memory_kept_bytes: u64,
    /// The same for a table.
    pub table_kept_bytes: u64,
    /// What bounds the number of sandboxes.
    pub bound: PoolBound,
}

/// What bounds the number of sandboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolBound {
    /// As many as were asked for.
    Asked,
    /// The addresses a process has.
    Addresses,
    /// The mappings a process may have.
    Mappings,
    /// The memory that all sandboxes may hold.
    Memory,
}

impl std::fmt::Display for PoolBound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Asked => "as asked for by worker.slots or runtime.sandboxes_max",
            Self::Addresses => "no more fit into the addresses of a process",
            Self::Mappings => "no more fit into vm.max_map_count",
            Self::Memory => "no more fit into runtime.memory_bytes_max",
        })
    }
}

impl PoolSize {
    /// Returns how large a pool for `asked` sandboxes is that hold `memory_bytes`
    /// together.
    pub fn new(
        asked: u32,
        memory_bytes: u64,
        limits: &SandboxLimits,
        machine: &MachineLimits,
    ) -> Self {
        // The rest is for threads, code and the heap.
        let mappings = machine.mappings_max / 4 * 3;
        let bounds = [
            (u64::from(asked.max(1)), PoolBound::Asked),
            (MEMORIES_MAX, PoolBound::Addresses),
            (
                mappings / (MAPPINGS_PER_STACK + MAPPINGS_PER_MEMORY),
                PoolBound::Mappings,
            ),
            (memory_bytes / 4 / STACK_TOUCHED_BYTES, PoolBound::Memory),
        ];
        let (sandboxes, bound) = bounds
            .into_iter()
            .min_by_key(|(sandboxes, _)| *sandboxes)
            .unwrap_or((1, PoolBound::Asked));
        let sandboxes = sandboxes.max(1);
        // Of each there are enough for one sandbox that has all it may have, although
        // such a one gets three quarters of all only.
        let for_one = |max: u32| (u64::from(max) / 3 + 1) * 4;
        let by_mappings =
            mappings.saturating_sub(sandboxes * MAPPINGS_PER_STACK) / MAPPINGS_PER_MEMORY;
        let memories = (sandboxes * MEMORIES_EACH)
            .min(by_mappings)
            .max(for_one(limits.memories_max))
            .min(MEMORIES_MAX);
        let tables = (sandboxes * TABLES_EACH).max(for_one(limits.tables_max));
        let pages = |bytes: u64, max: u64| (bytes / 4096 * 4096).clamp(4096, max);
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            sandboxes: narrow(sandboxes),
            memories: narrow(memories),
            tables: narrow(tables),
            memory_kept_bytes: pages(memory_bytes / 8 / memories, MEMORY_KEPT_BYTES_MAX),
            table_kept_bytes: pages(memory_bytes / 16 / tables, TABLE_KEPT_BYTES_MAX),
            bound,
        }
    }

    /// Returns the same with half as many memories, for a system that does not give
    /// out so many addresses; `None` if that is too few to be of use.
    pub(crate) fn halved(self, limits: &SandboxLimits) -> Option<Self> {
        let memories = self.memories / 2;
        (memories > limits.memories_max.saturating_mul(2)).then_some(Self {
            memories,
            sandboxes: self.sandboxes.min(memories),
            bound: if self.sandboxes > memories {
                PoolBound::Addresses
            } else {
                self.bound
            },
            ..self
        })
    }

    /// Returns the most bytes that closed sandboxes leave in the pool: beside what
    /// open ones hold, the process keeps no more of theirs than this.
    pub fn kept_bytes(&self) -> u64 {
        u64::from(self.sandboxes) * STACK_TOUCHED_BYTES
            + u64::from(self.memories) * self.memory_kept_bytes
            + u64::from(self.tables) * self.table_kept_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: MachineLimits = MachineLimits {
        memory_bytes: 24 << 30,
        cgroup_memory_bytes: None,
        mappings_max: 65_530,
    };

    fn size(asked: u32, memory_bytes: u64) -> PoolSize {
        PoolSize::new(asked, memory_bytes, &SandboxLimits::default(), &MACHINE)
    }

    #[test]
    fn the_requested_size_is_used_if_the_machine_can_hold_it() {
        let size = size(312, 12 << 30);
        assert_eq!((size.sandboxes, size.bound), (312, PoolBound::Asked));
        assert_eq!((size.memories, size.tables), (1248, 2496));
        assert_eq!(size.memory_kept_bytes, 512 << 10);
    }

    #[test]
    fn ten_thousand_are_bounded_by_name_and_fit_the_machine() {
        for (memory_bytes, bound) in [
            (64 << 30, PoolBound::Mappings),
            (12 << 30, PoolBound::Memory),
        ] {
            let size = size(10_000, memory_bytes);
            assert_eq!(size.bound, bound);
            assert!(size.sandboxes > 5_000, "{size:?}");
            assert!(size.memories >= size.sandboxes && u64::from(size.memories) <= MEMORIES_MAX);
            let mappings = u64::from(size.sandboxes) * MAPPINGS_PER_STACK
                + u64::from(size.memories) * MAPPINGS_PER_MEMORY;
            assert!(mappings < MACHINE.mappings_max, "{size:?}");
        }
    }

    #[test]
    fn the_pool_keeps_less_than_half_of_the_budget() {
        for memory_bytes in [128 << 20, 512 << 20, 4 << 30, 64 << 30] {
            for asked in [1, 16, 312, 10_000] {
                let size = size(asked, memory_bytes);
                assert!(
                    size.kept_bytes() <= memory_bytes / 2,
                    "{memory_bytes} {size:?}"
                );
            }
        }
    }

    #[test]
    fn the_largest_sandbox_fits_into_the_smallest_pool() {
        let limits = SandboxLimits::default();
        let size = size(1, 64 << 20);
        assert!(size.memories / 4 * 3 >= limits.memories_max);
        assert!(size.tables / 4 * 3 >= limits.tables_max);
    }
}
