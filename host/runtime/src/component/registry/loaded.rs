//! A component ready to be instantiated: its imports resolved, its exports checked.

use model::Digest;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use crate::component::compile::Footprint;
use crate::component::inspect::{PublishRefusal, is_ours};
use crate::host::State;
use crate::host::bindings::HandlerPre;
use crate::host::bindings::flowhost::engine::types::{Failure, Outcome, Task};
use crate::host::bindings::service::ServicePre;

/// A component ready to be instantiated.
pub(crate) struct Loaded {
    pub(crate) digest: Digest,
    /// Bytes of its compiled code in memory.
    pub(crate) bytes: u64,
    /// What a sandbox of it occupies when it is opened.
    pub(crate) footprint: Footprint,
    /// Whether its sandboxes are small ones when they are opened.
    pub(crate) is_small: bool,
    guest: Guest,
}

/// A component of one of the worlds, with its imports resolved.
enum Guest {
    Handler(HandlerPre<State>),
    Service(ServicePre<State>),
    #[cfg(test)]
    Nothing,
}

impl Loaded {
    /// Resolves a component's imports and checks its exports, once for all
    /// instances. No code of the guest runs.
    pub(super) fn new(
        digest: Digest,
        component: &Component,
        linker: &Linker<State>,
        footprint: Footprint,
        is_small: bool,
    ) -> Result<Self, PublishRefusal> {
        let does_not_link =
            |error: wasmtime::Error| PublishRefusal::does_not_link(&format!("{error:#}"));
        let is_service = check_export(component)?;
        let pre = linker.instantiate_pre(component).map_err(does_not_link)?;
        let guest = if is_service {
            Guest::Service(ServicePre::new(pre).map_err(does_not_link)?)
        } else {
            Guest::Handler(HandlerPre::new(pre).map_err(does_not_link)?)
        };
        let image = component.image_range();
        Ok(Self {
            digest,
            bytes: (image.end as usize - image.start as usize) as u64,
            footprint,
            is_small,
            guest,
        })
    }

    /// Returns the component if it is of the world `handler`.
    pub(crate) fn handler(&self) -> Option<&HandlerPre<State>> {
        match &self.guest {
            Guest::Handler(pre) => Some(pre),
            _ => None,
        }
    }

    /// Returns the component if it is of the world `service`.
    pub(crate) fn service(&self) -> Option<&ServicePre<State>> {
        match &self.guest {
            Guest::Service(pre) => Some(pre),
            _ => None,
        }
    }

    /// Stands for a component of a size.
    #[cfg(test)]
    pub(super) fn of_size(digest: Digest, bytes: u64) -> Self {
        Self {
            digest,
            bytes,
            footprint: Footprint::default(),
            is_small: true,
            guest: Guest::Nothing,
        }
    }
}

/// Checks the type of what the host calls, which it otherwise learns only when
/// it opens the first sandbox; returns whether the component is a service.
fn check_export(component: &Component) -> Result<bool, PublishRefusal> {
    let engine = component.engine();
    let ty = component.component_type();
    for (name, export) in ty.exports(engine) {
        let is_service = is_ours(name, "serve");
        if !is_service && !is_ours(name, "attempt") {
            continue;
        }
        let function = if is_service { "serve" } else { "run" };
        let wrong = |why: &str| {
            PublishRefusal::does_not_link(&format!("its export `{name}` `{function}` {why}"))
        };
        let ComponentItem::ComponentInstance(interface) = export.ty else {
            return Err(wrong("is not in an interface"));
        };
        let run = match interface.get_export(engine, function).map(|it| it.ty) {
            Some(ComponentItem::ComponentFunc(run)) => run,
            Some(_) => return Err(wrong("is not a function")),
            None => return Err(wrong("is missing")),
        };
        if run.async_() {
            return Err(wrong("is async; the interface has it synchronous"));
        }
        let types = ty.instance_type();
        let fits = if is_service {
            run.typecheck::<(), (Result<(), String>,)>(&types)
        } else {
            run.typecheck::<(&Task,), (Result<Outcome, Failure>,)>(&types)
        };
        fits.map_err(|error| wrong(&format!("has another type: {error:#}")))?;
        return Ok(is_service);
    }
    // Left to the bindings, which name what is missing.
    Ok(false)
}
