//! What one sandbox may use, and the meter that stops it from using more.
//!
//! Memory and tables are summed over the whole store, because a component may
//! hold several of each: a bound per memory would multiply. Memory is linear
//! memory, tables, and what the host keeps for the guest behind its handles and
//! in its calls; all of it grows through [`Meter::charge`] and shrinks through
//! [`Meter::release`]. A guest that runs into a bound is stopped with a
//! [`LimitHit`], which says by type which one it was.

use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiterAsync;

use crate::room::{Allowance, NoRoom, Seat};

/// Bounds of one sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxLimits {
    /// Most bytes of memory: all linear memories, all tables, and what the host
    /// keeps for the guest (its task, requests, signals and leases, and what its
    /// calls carry), together. The log has a bound of its own.
    pub memory_bytes_max: u64,
    /// Most elements, all tables together.
    pub table_elements_max: u32,
    /// Most core instances.
    pub instances_max: u32,
    /// Most tables.
    pub tables_max: u32,
    /// Most linear memories.
    pub memories_max: u32,
    /// Most resource handles of the engine's interfaces held at once, and as many
    /// of WASI's.
    pub handles_max: u32,
    /// Most bytes a guest passes to the host in one call.
    pub host_call_bytes_max: u32,
    /// Most calls into the engine's interfaces; for a service, in a minute and
    /// between the start or end of one lease and the next.
    pub host_calls_max: u32,
    /// Most random bytes in one call.
    pub random_bytes_max: u32,
    /// Most bytes of the attempt's log; what exceeds it is counted and dropped.
    pub log_bytes_max: u32,
    /// Most records of the attempt's log.
    pub log_records_max: u32,
    /// Most time spent computing, in milliseconds; for a service, under a lease
    /// without taking or ending one.
    pub cpu_ms_max: u32,
    /// Time between a cancellation and the stop, in milliseconds; for a service
    /// also between the loss of a lease it keeps and the stop.
    pub cancel_grace_ms: u32,
    /// Time between the end of an attempt that its handler recorded itself
    /// (through `complete` or `suspend`) and the stop of the handler, in
    /// milliseconds.
    pub outcome_grace_ms: u32,
    /// Longest attempt, whatever its policy says, in milliseconds.
    pub attempt_ms_max: u32,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 64 << 20,
            table_elements_max: 20_000,
            instances_max: 64,
            tables_max: 32,
            memories_max: 8,
            handles_max: 1024,
            host_call_bytes_max: 4 << 20,
            host_calls_max: 100_000,
            random_bytes_max: 64 << 10,
            log_bytes_max: 64 << 10,
            log_records_max: 2000,
            cpu_ms_max: 10_000,
            cancel_grace_ms: 500,
            outcome_grace_ms: 5_000,
            attempt_ms_max: 3_600_000,
        }
    }
}

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
    Kept {
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
    /// Tables.
    #[error(
        "the guest wanted {wanted} table elements; {max} are allowed (sandbox.table_elements_max)"
    )]
    Tables {
        /// What it would have held.
        wanted: u64,
        /// What it may hold.
        max: u64,
    },
    /// Resource handles.
    #[error("the guest wanted more than {max} resource handles at once (sandbox.handles_max)")]
    Handles {
        /// What it may hold.
        max: u32,
    },
    /// Random bytes.
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

/// Memory that one element of a table takes.
pub(crate) const TABLE_ELEMENT_BYTES: u64 = 8;

/// Counts what a store holds and refuses what exceeds the bounds.
#[derive(Debug)]
pub(crate) struct Meter {
    limits: SandboxLimits,
    allowance: Allowance,
    memory_bytes: u64,
    memory_peak_bytes: u64,
    memory_growth: u64,
    table_elements: u64,
    table_growth: u64,
}

impl Meter {
    pub(crate) fn new(limits: SandboxLimits) -> Self {
        Self {
            limits,
            allowance: Allowance::default(),
            memory_bytes: 0,
            memory_peak_bytes: 0,
            memory_growth: 0,
            table_elements: 0,
            table_growth: 0,
        }
    }

    /// Has what is charged from now on taken from the room of the host.
    pub(crate) fn draw_from(&mut self, seat: Arc<Seat>) {
        self.allowance = Allowance::of(seat);
    }

    /// Returns the most memory held at once.
    pub(crate) fn memory_peak_bytes(&self) -> u64 {
        self.memory_peak_bytes
    }

    /// Adds memory to what the sandbox holds.
    pub(crate) fn charge(&mut self, bytes: u64) -> Result<(), LimitHit> {
        let wanted = self.bounded(bytes)?;
        self.allowance
            .draw(bytes)
            .map_err(|no_room| no_room_for(bytes, no_room))?;
        self.hold(wanted);
        Ok(())
    }

    /// As [`Self::charge`], waiting for room on the host as long as that may help.
    async fn charge_waiting(&mut self, bytes: u64) -> Result<(), LimitHit> {
        let wanted = self.bounded(bytes)?;
        self.allowance
            .wait_for(bytes)
            .await
            .map_err(|no_room| no_room_for(bytes, no_room))?;
        self.hold(wanted);
        Ok(())
    }

    /// Takes away memory that was charged.
    pub(crate) fn release(&mut self, bytes: u64) {
        let bytes = bytes.min(self.memory_bytes);
        self.memory_bytes -= bytes;
        self.allowance.put_back(bytes);
    }

    /// Returns what the sandbox would hold with `bytes` more, if it may.
    fn bounded(&self, bytes: u64) -> Result<u64, LimitHit> {
        let wanted = self.memory_bytes.saturating_add(bytes);
        let max = self.limits.memory_bytes_max;
        if wanted > max {
            return Err(LimitHit::Memory { wanted, max });
        }
        Ok(wanted)
    }

    fn hold(&mut self, bytes: u64) {
        self.memory_bytes = bytes;
        self.memory_peak_bytes = self.memory_peak_bytes.max(bytes);
    }

    fn grow_table(&mut self, current: usize, desired: usize) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current) as u64;
        let wanted = self.table_elements.saturating_add(growth);
        let max = u64::from(self.limits.table_elements_max);
        if wanted > max {
            return Err(LimitHit::Tables { wanted, max }.into());
        }
        self.charge(growth * TABLE_ELEMENT_BYTES)?;
        self.table_growth = growth;
        self.table_elements = wanted;
        Ok(true)
    }

    /// As [`Self::charge`], for memory in which the host keeps something for the
    /// guest.
    pub(crate) fn charge_kept(&mut self, bytes: usize) -> Result<(), LimitHit> {
        self.charge(bytes as u64).map_err(|hit| match hit {
            LimitHit::Memory { wanted, max } => LimitHit::Kept { wanted, max },
            other => other,
        })
    }
}

fn no_room_for(more: u64, no_room: NoRoom) -> LimitHit {
    match no_room {
        NoRoom::Full => LimitHit::HostFull { more },
        NoRoom::Never { max } => LimitHit::HostShare { more, max },
    }
}

/// An answer that may have to be waited for.
type Growing<'a> = Pin<Box<dyn Future<Output = wasmtime::Result<bool>> + Send + 'a>>;

/// Linear memory waits for room on the host, which stops the guest and no thread; the
/// rest is small and does not.
impl ResourceLimiterAsync for Meter {
    fn memory_growing<'this, 'a>(
        &'this mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Growing<'a>
    where
        'this: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let growth = desired.saturating_sub(current) as u64;
            self.charge_waiting(growth).await?;
            self.memory_growth = growth;
            Ok(true)
        })
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        let growth = std::mem::take(&mut self.memory_growth);
        self.release(growth);
        Ok(())
    }

    fn table_growing<'this, 'a>(
        &'this mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Growing<'a>
    where
        'this: 'a,
        Self: 'a,
    {
        Box::pin(std::future::ready(self.grow_table(current, desired)))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        let growth = std::mem::take(&mut self.table_growth);
        self.table_elements = self.table_elements.saturating_sub(growth);
        self.release(growth * TABLE_ELEMENT_BYTES);
        Ok(())
    }

    fn instances(&self) -> usize {
        self.limits.instances_max as usize
    }

    fn tables(&self) -> usize {
        self.limits.tables_max as usize
    }

    fn memories(&self) -> usize {
        self.limits.memories_max as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn grow(meter: &mut Meter, current: usize, desired: usize) -> wasmtime::Result<bool> {
        futures::executor::block_on(meter.memory_growing(current, desired, None))
    }

    #[test]
    fn memory_is_bounded_by_the_sum_of_all_memories() {
        let mut meter = Meter::new(SandboxLimits::default());
        assert!(grow(&mut meter, 0, 40 * MIB).unwrap());
        assert!(grow(&mut meter, 0, 24 * MIB).unwrap());
        let error = grow(&mut meter, 24 * MIB, 25 * MIB).unwrap_err();
        assert_eq!(
            error.downcast_ref::<LimitHit>(),
            Some(&LimitHit::Memory {
                wanted: 65 << 20,
                max: 64 << 20
            })
        );
        assert_eq!(meter.memory_peak_bytes(), 64 << 20);
    }

    #[test]
    fn growth_that_failed_is_not_charged() {
        let mut meter = Meter::new(SandboxLimits::default());
        assert!(grow(&mut meter, 0, 60 * MIB).unwrap());
        meter
            .memory_grow_failed(wasmtime::Error::msg("no room"))
            .unwrap();
        assert!(grow(&mut meter, 0, 60 * MIB).unwrap());
    }

    #[test]
    fn tables_are_bounded_by_the_sum_of_their_elements() {
        let mut meter = Meter::new(SandboxLimits::default());
        assert!(meter.grow_table(0, 15_000).unwrap());
        assert!(meter.grow_table(0, 6_000).unwrap_err().is::<LimitHit>());
    }

    #[test]
    fn memory_tables_and_what_the_host_keeps_have_one_bound() {
        let mut meter = Meter::new(SandboxLimits::default());
        assert!(grow(&mut meter, 0, 60 * MIB).unwrap());
        assert!(meter.grow_table(0, 1_000).unwrap());
        meter.charge_kept(3 * MIB).unwrap();
        let wanted = (64 << 20) + 8_000;
        let max = 64 << 20;
        assert_eq!(meter.charge_kept(MIB), Err(LimitHit::Kept { wanted, max }));
        let error = grow(&mut meter, 0, MIB).unwrap_err();
        assert_eq!(
            error.downcast_ref::<LimitHit>(),
            Some(&LimitHit::Memory { wanted, max })
        );
        meter.release(2 << 20);
        assert_eq!(meter.charge_kept(MIB), Ok(()));
        assert_eq!(meter.memory_peak_bytes(), (63 << 20) + 8_000);
    }
}
