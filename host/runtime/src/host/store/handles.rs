//! What the host keeps for a guest behind the handles it gives out.
//!
//! This is the only way for an interface to keep something: the table is private, and
//! each entry is charged to the memory of the sandbox as it is added, changed and
//! removed, by the size it reports itself ([`HostResource`]). WASI's own resources are in
//! `wasi.rs`.

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

use crate::memory::Meter;
use crate::settings::LimitHit;

/// Bytes an entry takes besides its value and what that owns: its place in the table, and
/// what the allocator adds.
const ENTRY_BYTES: usize = 128;

/// Something the host keeps behind a handle.
pub(crate) trait HostResource: Send + 'static {
    /// Returns the bytes it owns besides its own size: those of texts, payloads
    /// and lists, however deep.
    fn owned_bytes(&self) -> usize;
}

/// The handles of the engine's interfaces that one guest holds.
pub(in crate::host) struct Handles {
    table: ResourceTable,
    max: u32,
}

impl Handles {
    pub(in crate::host) fn new(max: u32) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(max as usize);
        Self { table, max }
    }

    /// Keeps an entry and returns a handle on it.
    pub(in crate::host) fn push<T: HostResource>(
        &mut self,
        meter: &mut Meter,
        entry: T,
    ) -> wasmtime::Result<Resource<T>> {
        meter.charge_host_bytes(bytes(&entry))?;
        self.table.push(entry).map_err(|error| match error {
            ResourceTableError::Full => LimitHit::Handles { max: self.max }.into(),
            other => other.into(),
        })
    }

    /// Returns an entry.
    pub(in crate::host) fn get<T: HostResource>(
        &self,
        handle: &Resource<T>,
    ) -> wasmtime::Result<&T> {
        Ok(self.table.get(handle)?)
    }

    /// Changes an entry.
    pub(in crate::host) fn change<T: HostResource, A>(
        &mut self,
        meter: &mut Meter,
        handle: &Resource<T>,
        change: impl FnOnce(&mut T) -> A,
    ) -> wasmtime::Result<A> {
        let entry = self.table.get_mut(handle)?;
        let before = bytes(entry);
        let answer = change(entry);
        let after = bytes(entry);
        meter.release(before.saturating_sub(after) as u64);
        meter.charge_host_bytes(after.saturating_sub(before))?;
        Ok(answer)
    }

    /// Removes an entry, because the guest dropped its handle.
    pub(in crate::host) fn delete<T: HostResource>(
        &mut self,
        meter: &mut Meter,
        handle: Resource<T>,
    ) -> wasmtime::Result<T> {
        let entry = self.table.delete(handle)?;
        meter.release(bytes(&entry) as u64);
        Ok(entry)
    }
}

/// Returns the memory that an entry takes.
fn bytes<T: HostResource>(entry: &T) -> usize {
    ENTRY_BYTES + size_of::<T>() + entry.owned_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SandboxLimits;

    struct Text(String);

    impl HostResource for Text {
        fn owned_bytes(&self) -> usize {
            self.0.len()
        }
    }

    const MIB: usize = 1 << 20;

    fn meter() -> Meter {
        Meter::new(SandboxLimits {
            memory_bytes_max: 8 << 20,
            ..SandboxLimits::default()
        })
    }

    fn text(bytes: usize) -> Text {
        Text("x".repeat(bytes))
    }

    fn is_kept(error: &wasmtime::Error) -> bool {
        matches!(error.downcast_ref(), Some(LimitHit::HostObjects { .. }))
    }

    #[test]
    fn an_entry_is_charged_until_its_handle_is_dropped() {
        let (mut meter, mut handles) = (meter(), Handles::new(100));
        for _ in 0..1000 {
            let handle = handles.push(&mut meter, text(3 * MIB)).unwrap();
            handles.delete(&mut meter, handle).unwrap();
        }
        handles.push(&mut meter, text(3 * MIB)).unwrap();
        handles.push(&mut meter, text(3 * MIB)).unwrap();
        let refused = handles.push(&mut meter, text(3 * MIB)).unwrap_err();
        assert!(is_kept(&refused), "{refused}");
        let peak = meter.memory_peak_bytes() as usize;
        assert!((6 * MIB..7 * MIB).contains(&peak), "{peak}");
    }

    #[test]
    fn a_change_is_charged_for_what_it_adds() {
        let (mut meter, mut handles) = (meter(), Handles::new(100));
        let handle = handles.push(&mut meter, text(0)).unwrap();
        for _ in 0..100 {
            let grow = |entry: &mut Text| *entry = text(5 * MIB);
            handles.change(&mut meter, &handle, grow).unwrap();
            let shrink = |entry: &mut Text| entry.0.clear();
            handles.change(&mut meter, &handle, shrink).unwrap();
        }
        let grow = |entry: &mut Text| *entry = text(9 * MIB);
        let refused = handles.change(&mut meter, &handle, grow).unwrap_err();
        assert!(is_kept(&refused), "{refused}");
    }

    #[test]
    fn handles_are_bounded_and_an_empty_one_costs_something() {
        let (mut meter, mut handles) = (meter(), Handles::new(3));
        for _ in 0..3 {
            handles.push(&mut meter, text(0)).unwrap();
        }
        assert!(meter.memory_peak_bytes() >= 3 * ENTRY_BYTES as u64);
        let refused = handles.push(&mut meter, text(0)).unwrap_err();
        assert!(matches!(
            refused.downcast_ref(),
            Some(LimitHit::Handles { max: 3 })
        ));
    }
}
