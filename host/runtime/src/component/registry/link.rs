//! Turns compiled code into a component that can be instantiated.

use model::{Digest, QUOTED_TEXT_BYTES_MAX, truncated};
use wasmtime::component::Component;

use super::{LoadError, Loaded, Registry};
use crate::component::compile::{self, Footprint};
use crate::component::inspect::PublishRefusal;
use crate::memory::SandboxBudget;

impl Registry {
    /// Loads compiled code, resolves its imports and checks its exports, once for
    /// all instances. Rejects a component of which no sandbox could ever be opened.
    ///
    /// `bytes` must come from the cache, which checked its MAC, or from the
    /// compiler this host started.
    pub(super) fn link(&self, digest: Digest, bytes: &[u8]) -> Result<Loaded, LoadError> {
        let unusable = |why: &str| {
            let why = truncated(why, QUOTED_TEXT_BYTES_MAX);
            LoadError::Unavailable(digest, format!("its code does not load: {why}"))
        };
        let (code, footprint) = compile::split(bytes)
            .ok_or_else(|| unusable("it does not end with the footprint of the component"))?;
        self.check_opens(&footprint).map_err(LoadError::Rejected)?;
        // SAFETY: these bytes were made by `precompile_component` on behalf of
        // this host: they come straight from its compiler, or from a file
        // whose MAC under this host's key was checked on these very bytes.
        let component = unsafe { Component::deserialize(self.wasm.engine(), code) };
        // Such as code from a compiler that was replaced by another version while
        // this host runs.
        let component = component.map_err(|error| unusable(&format!("{error:#}")))?;
        let is_small = SandboxBudget::is_small(&footprint.demand(&self.limits, 0));
        Loaded::new(digest, &component, &self.linker, footprint, is_small)
            .map_err(LoadError::Rejected)
    }

    /// Checks that a sandbox of a component with this footprint can be opened at all.
    fn check_opens(&self, footprint: &Footprint) -> Result<(), PublishRefusal> {
        footprint.check(&self.limits)?;
        let never_fits = self.budget.never_fits(&footprint.demand(&self.limits, 0));
        never_fits.map_or(Ok(()), |why| Err(PublishRefusal::DoesNotFit(why)))
    }
}
