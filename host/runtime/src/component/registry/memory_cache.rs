//! Components in memory, within a budget of bytes.
//!
//! What nothing holds is dropped, least recently used first, when room is
//! needed. What a route or a running sandbox holds stays: dropping it here would
//! free nothing. If all that is left is held, there is no room.

use std::collections::HashMap;
use std::sync::Arc;

use model::Digest;

use super::Loaded;

/// Components in memory.
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

/// All room is taken by components in use.
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

    /// Says whether `bytes` would find room, were all that is not held dropped.
    pub(super) fn could_take(&self, bytes: u64) -> Result<(), MemoryCacheFull> {
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

    /// Keeps a component, dropping what it takes to make room.
    pub(super) fn put(&mut self, component: Arc<Loaded>) -> Result<(), MemoryCacheFull> {
        if self.entries.contains_key(&component.digest) {
            return Ok(());
        }
        self.could_take(component.bytes)?;
        while self.bytes.saturating_add(component.bytes) > self.bytes_max {
            let oldest = self
                .entries
                .iter()
                .filter(|(_, entry)| Arc::strong_count(&entry.component) == 1)
                .min_by_key(|(_, entry)| entry.used)
                .map(|(digest, _)| *digest);
            let Some(oldest) = oldest.and_then(|digest| self.entries.remove(&digest)) else {
                return self.could_take(component.bytes);
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
