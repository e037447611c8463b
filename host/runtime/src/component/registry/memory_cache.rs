//! Components in memory, within a budget of bytes.
//!
//! Components that no route and no running sandbox holds are dropped, least recently used
//! first, to stay within the budget. The others stay: dropping them here would free
//! nothing. If they fill the budget, no further component is accepted.

use std::collections::HashMap;
use std::sync::Arc;

use model::Digest;

use super::Loaded;

/// The components in memory, within a budget of bytes.
pub(super) struct MemoryCache {
    entries: HashMap<Digest, Entry>,
    bytes: u64,
    bytes_max: u64,
    uses: u64,
}

struct Entry {
    component: Arc<Loaded>,
    used: u64,
}

/// Components in use fill the budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "its compiled code of {bytes} bytes finds no room: {held} of {max} are held by components that are routed to or run (runtime.loaded_bytes_max). Route fewer components to kinds, or raise the setting"
)]
pub(super) struct MemoryCacheFull {
    pub(super) bytes: u64,
    pub(super) held: u64,
    pub(super) max: u64,
}

impl MemoryCache {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            entries: HashMap::new(),
            bytes: 0,
            bytes_max,
            uses: 0,
        }
    }

    /// Returns a component, which thereby is the one used last.
    pub(super) fn get(&mut self, digest: &Digest) -> Option<Arc<Loaded>> {
        self.uses += 1;
        let entry = self.entries.get_mut(digest)?;
        entry.used = self.uses;
        Some(entry.component.clone())
    }

    /// Checks that `bytes` fit beside the components in use.
    pub(super) fn check_fits(&self, bytes: u64) -> Result<(), MemoryCacheFull> {
        let held = self
            .entries
            .values()
            .filter(|entry| Arc::strong_count(&entry.component) > 1)
            .map(|entry| entry.component.bytes)
            .sum();
        if bytes.saturating_add(held) <= self.bytes_max {
            return Ok(());
        }
        Err(MemoryCacheFull {
            bytes,
            held,
            max: self.bytes_max,
        })
    }

    /// Adds a component, dropping unused ones as needed.
    pub(super) fn put(&mut self, component: Arc<Loaded>) -> Result<(), MemoryCacheFull> {
        if self.entries.contains_key(&component.digest) {
            return Ok(());
        }
        self.check_fits(component.bytes)?;
        while self.bytes.saturating_add(component.bytes) > self.bytes_max {
            let oldest = self
                .entries
                .iter()
                .filter(|(_, entry)| Arc::strong_count(&entry.component) == 1)
                .min_by_key(|(_, entry)| entry.used)
                .map(|(digest, _)| *digest);
            let Some(oldest) = oldest.and_then(|digest| self.entries.remove(&digest)) else {
                return self.check_fits(component.bytes);
            };
            self.bytes -= oldest.component.bytes;
        }
        self.uses += 1;
        self.bytes += component.bytes;
        let used = self.uses;
        self.entries
            .insert(component.digest, Entry { component, used });
        Ok(())
    }

    /// Returns how many components there are and their bytes.
    pub(super) fn stats(&self) -> (usize, u64) {
        (self.entries.len(), self.bytes)
    }
}
