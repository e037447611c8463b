//! Which bound of a sandbox stopped a guest.

/// A bound that stopped a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitHit {
    /// Memory, for the guest itself.
    #[error(
        "the guest wanted {wanted} bytes of memory; {max} are allowed (sandbox.memory_bytes_max)"
    )]
    Memory {
        /// Bytes that the sandbox would have held.
        wanted: u64,
        /// Most bytes that it may hold.
        max: u64,
    },
    /// Memory, for what the host keeps for the guest.
    #[error(
        "the guest wanted {wanted} bytes of memory, together with what the host keeps for its task, handles and calls; {max} are allowed (sandbox.memory_bytes_max)"
    )]
    HostObjects {
        /// Bytes that the sandbox would have held.
        wanted: u64,
        /// Most bytes that it may hold.
        max: u64,
    },
    /// The memory budget of the host: other sandboxes hold it.
    #[error(
        "the sandboxes of this host hold all the memory they may (runtime.memory_bytes_max); this one was stopped when it wanted {more} bytes more"
    )]
    HostFull {
        /// Bytes it wanted beyond those it held.
        more: u64,
    },
    /// The memory budget of the host: more than one sandbox may hold of it.
    #[error(
        "the guest wanted {more} bytes of memory more; one sandbox may hold {max} on this host, three quarters of what all may (runtime.memory_bytes_max)"
    )]
    HostShare {
        /// Bytes it wanted beyond those it held.
        more: u64,
        /// Most bytes that one sandbox may hold.
        max: u64,
    },
    /// Elements of all tables together.
    #[error(
        "the guest wanted {wanted} table elements; {max} are allowed (sandbox.table_elements_max)"
    )]
    Tables {
        /// Elements that the sandbox would have held.
        wanted: u64,
        /// Most elements that it may hold.
        max: u64,
    },
    /// Resource handles held at the same time.
    #[error("the guest wanted more than {max} resource handles at once (sandbox.handles_max)")]
    Handles {
        /// Most handles that the sandbox may hold.
        max: u32,
    },
    /// Random bytes asked for in one call.
    #[error(
        "the guest wanted {wanted} random bytes in one call; {max} are allowed (sandbox.random_bytes_max)"
    )]
    Random {
        /// Bytes that the guest asked for.
        wanted: u64,
        /// Most bytes it gets in one call.
        max: u32,
    },
    /// Calls into the engine's interfaces.
    #[error("the guest called the host more than {max} times (sandbox.host_calls_max)")]
    HostCalls {
        /// Most calls that it may make.
        max: u32,
    },
}
