//! Which bound of a sandbox stopped a guest.

/// A bound that stopped a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitHit {
    /// Memory, for the guest itself.
    #[error(
        "the guest wanted {wanted} bytes of memory; {max} are allowed (sandbox.memory_bytes_max)"
    )]
    Memory {
        /// What it would have held.
        wanted: u64,
        /// What it may hold.
        max: u64,
    },
    /// Memory, for what the host keeps for the guest.
    #[error(
        "the guest wanted {wanted} bytes of memory, together with what the host keeps for its task, handles and calls; {max} are allowed (sandbox.memory_bytes_max)"
    )]
    HostObjects {
        /// What it would have held.
        wanted: u64,
        /// What it may hold.
        max: u64,
    },
    /// Memory of the host: other sandboxes hold it.
    #[error(
        "the sandboxes of this host hold all the memory they may (runtime.memory_bytes_max); this one was stopped when it wanted {more} bytes more"
    )]
    HostFull {
        /// What it wanted on top of what it held.
        more: u64,
    },
    /// Memory of the host: more than one sandbox may hold.
    #[error(
        "the guest wanted {more} bytes of memory more; one sandbox may hold {max} on this host, three quarters of what all may (runtime.memory_bytes_max)"
    )]
    HostShare {
        /// What it wanted on top of what it held.
        more: u64,
        /// What it may hold.
        max: u64,
    },
    /// Elements of all tables together.
    #[error(
        "the guest wanted {wanted} table elements; {max} are allowed (sandbox.table_elements_max)"
    )]
    Tables {
        /// What it would have held.
        wanted: u64,
        /// What it may hold.
        max: u64,
    },
    /// Resource handles held at the same time.
    #[error("the guest wanted more than {max} resource handles at once (sandbox.handles_max)")]
    Handles {
        /// What it may hold.
        max: u32,
    },
    /// Random bytes asked for in one call.
    #[error(
        "the guest wanted {wanted} random bytes in one call; {max} are allowed (sandbox.random_bytes_max)"
    )]
    Random {
        /// What it asked for.
        wanted: u64,
        /// What it may have.
        max: u32,
    },
    /// Calls into the engine's interfaces.
    #[error("the guest called the host more than {max} times (sandbox.host_calls_max)")]
    HostCalls {
        /// What it may make.
        max: u32,
    },
}
