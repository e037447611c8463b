//! The meter of one sandbox, which stops it from using more memory than it may.
//!
//! Memory and tables are summed over the whole store, because a component may
//! hold several of each: a bound per memory would multiply. Memory is linear
//! memory, tables, and what the host keeps for the guest behind its handles and
//! in its calls; all of it grows through [`Meter::charge`] and shrinks through
//! [`Meter::release`]. A guest that runs into a bound is stopped with a
//! [`LimitHit`], which says by type which one it was.

use std::sync::Arc;

use wasmtime::ResourceLimiterAsync;

use super::{Allowance, GrowthRefusal, Reservation};
use crate::settings::{LimitHit, SandboxLimits};

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

    /// Draws what is charged from now on from a reservation.
    pub(crate) fn draw_from(&mut self, reservation: Arc<Reservation>) {
        self.allowance = Allowance::of(reservation);
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
            .map_err(|refusal| limit_hit(bytes, refusal))?;
        self.hold(wanted);
        Ok(())
    }

    /// As [`Self::charge`], waiting for the budget of the host as long as that may help.
    async fn charge_waiting(&mut self, bytes: u64) -> Result<(), LimitHit> {
        let wanted = self.bounded(bytes)?;
        self.allowance
            .draw_waiting(bytes)
            .await
            .map_err(|refusal| limit_hit(bytes, refusal))?;
        self.hold(wanted);
        Ok(())
    }

    /// Takes away memory that was charged.
    pub(crate) fn release(&mut self, bytes: u64) {
        let bytes = bytes.min(self.memory_bytes);
        self.memory_bytes -= bytes;
        self.allowance.release(bytes);
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
    pub(crate) fn charge_host_bytes(&mut self, bytes: usize) -> Result<(), LimitHit> {
        self.charge(bytes as u64).map_err(|hit| match hit {
            LimitHit::Memory { wanted, max } => LimitHit::HostObjects { wanted, max },
            other => other,
        })
    }
}

fn limit_hit(more: u64, refusal: GrowthRefusal) -> LimitHit {
    match refusal {
        GrowthRefusal::BudgetExhausted => LimitHit::HostFull { more },
        GrowthRefusal::ExceedsShare { max } => LimitHit::HostShare { more, max },
    }
}

/// Linear memory waits for the budget of the host, which blocks the guest and no thread;
/// the rest is small and does not wait.
#[wasmtime_wasi::async_trait]
impl ResourceLimiterAsync for Meter {
    async fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current) as u64;
        self.charge_waiting(growth).await?;
        self.memory_growth = growth;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        let growth = std::mem::take(&mut self.memory_growth);
        self.release(growth);
        Ok(())
    }

    async fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.grow_table(current, desired)
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
    fn memories_tables_and_host_objects_have_one_bound() {
        let mut meter = Meter::new(SandboxLimits::default());
        assert!(grow(&mut meter, 0, 60 * MIB).unwrap());
        assert!(meter.grow_table(0, 1_000).unwrap());
        meter.charge_host_bytes(3 * MIB).unwrap();
        let wanted = (64 << 20) + 8_000;
        let max = 64 << 20;
        assert_eq!(
            meter.charge_host_bytes(MIB),
            Err(LimitHit::HostObjects { wanted, max })
        );
        let error = grow(&mut meter, 0, MIB).unwrap_err();
        assert_eq!(
            error.downcast_ref::<LimitHit>(),
            Some(&LimitHit::Memory { wanted, max })
        );
        meter.release(2 << 20);
        assert_eq!(meter.charge_host_bytes(MIB), Ok(()));
        assert_eq!(meter.memory_peak_bytes(), (63 << 20) + 8_000);
    }
}
