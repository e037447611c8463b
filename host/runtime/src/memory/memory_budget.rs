//! How much memory all sandboxes of a host may hold together.

use super::MachineLimits;

/// How much memory all sandboxes may hold together, and where the number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryBudget {
    /// The setting `runtime.memory_bytes_max`.
    Set(u64),
    /// Half of what the control group of this process may use.
    OfCgroup(u64),
    /// Half of the memory of the machine.
    OfMachine(u64),
}

impl MemoryBudget {
    /// Returns `setting`, in bytes; half of what the process may use if that is zero.
    pub fn new(setting: u64, machine: &MachineLimits) -> Self {
        match machine.cgroup_memory_bytes {
            _ if setting > 0 => Self::Set(setting),
            Some(bytes) if bytes < machine.memory_bytes => Self::OfCgroup(bytes / 2),
            _ => Self::OfMachine(machine.memory_bytes / 2),
        }
    }

    /// Returns the budget in bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Set(bytes) | Self::OfCgroup(bytes) | Self::OfMachine(bytes) => bytes,
        }
    }
}

impl std::fmt::Display for MemoryBudget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origin = match self {
            Self::Set(_) => "runtime.memory_bytes_max",
            Self::OfCgroup(_) => "half of what the control group of this process may use",
            Self::OfMachine(_) => "half of the memory of this machine",
        };
        write!(f, "{} MiB ({origin})", self.bytes() >> 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_the_process_may_use_is_the_default() {
        let machine = MachineLimits {
            memory_bytes: 2 << 30,
            cgroup_memory_bytes: Some(1 << 30),
            mappings_max: 1000,
        };
        assert_eq!(
            MemoryBudget::new(0, &machine),
            MemoryBudget::OfCgroup(512 << 20)
        );
        assert_eq!(MemoryBudget::new(7, &machine), MemoryBudget::Set(7));
        let unlimited = MachineLimits {
            cgroup_memory_bytes: Some(1 << 62),
            ..machine
        };
        assert_eq!(
            MemoryBudget::new(0, &unlimited),
            MemoryBudget::OfMachine(1 << 30)
        );
    }
}
