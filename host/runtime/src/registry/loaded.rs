//! A component ready to be instantiated: its imports resolved, its exports
//! checked, and known to fit a sandbox.

use model::{Digest, SHOWN_TEXT_BYTES_MAX, shown};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use crate::bindings::HandlerPre;
use crate::bindings::flowhost::engine::types::{Failure, Outcome, Task};
use crate::bindings::worker::WorkerPre;
use crate::host::State;
use crate::inspect::{PublishRefusal, is_ours};
use crate::limits::SandboxLimits;

const WASM_PAGE_BYTES: u64 = 64 << 10;

/// A component ready to be instantiated.
pub(crate) struct Loaded {
    pub(crate) digest: Digest,
    /// Bytes of its compiled code in memory.
    pub(crate) bytes: u64,
    guest: Guest,
}

/// A component of one of the worlds, with its imports resolved.
enum Guest {
    Handler(HandlerPre<State>),
    Service(WorkerPre<State>),
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
        limits: &SandboxLimits,
    ) -> Result<Self, PublishRefusal> {
        let does_not_link =
            |error: wasmtime::Error| PublishRefusal::does_not_link(&format!("{error:#}"));
        let is_service = check_export(component)?;
        check_resources(component, limits)?;
        let pre = linker.instantiate_pre(component).map_err(does_not_link)?;
        let guest = if is_service {
            Guest::Service(WorkerPre::new(pre).map_err(does_not_link)?)
        } else {
            Guest::Handler(HandlerPre::new(pre).map_err(does_not_link)?)
        };
        let image = component.image_range();
        Ok(Self {
            digest,
            bytes: (image.end as usize - image.start as usize) as u64,
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

    /// Returns the component if it is of the world `worker`.
    pub(crate) fn service(&self) -> Option<&WorkerPre<State>> {
        match &self.guest {
            Guest::Service(pre) => Some(pre),
            _ => None,
        }
    }

    /// Stands for a component of a size.
    #[cfg(test)]
    pub(super) const fn of_size(digest: Digest, bytes: u64) -> Self {
        Self {
            digest,
            bytes,
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
        let is_service = is_ours(name, "service");
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

/// Checks what an instance needs from the beginning, which otherwise ends each
/// attempt before it has begun.
fn check_resources(component: &Component, limits: &SandboxLimits) -> Result<(), PublishRefusal> {
    // Without an answer it instantiates a module it imports, which no linker
    // offers.
    let Some(needs) = component.resources_required() else {
        return Ok(());
    };
    let pages = needs.max_initial_memory_size.unwrap_or(0);
    for (need, has) in [
        (MEMORY, pages.saturating_mul(WASM_PAGE_BYTES)),
        (ELEMENTS, needs.max_initial_table_size.unwrap_or(0)),
        (MEMORIES, u64::from(needs.num_memories)),
        (TABLES, u64::from(needs.num_tables)),
    ] {
        if has > (need.max)(limits) {
            return Err(need.exceeded(has, limits));
        }
    }
    Ok(())
}

/// Something a sandbox has a bounded amount of.
#[derive(Clone, Copy)]
struct Need {
    what: &'static str,
    setting: &'static str,
    max: fn(&SandboxLimits) -> u64,
}

const MEMORY: Need = Need {
    what: "bytes of memory to begin with",
    setting: "memory_bytes_max",
    max: |limits| limits.memory_bytes_max,
};
const ELEMENTS: Need = Need {
    what: "elements in a table to begin with",
    setting: "table_elements_max",
    max: |limits| limits.table_elements_max as u64,
};
const MEMORIES: Need = Need {
    what: "linear memories",
    setting: "memories_max",
    max: |limits| limits.memories_max as u64,
};
const TABLES: Need = Need {
    what: "tables",
    setting: "tables_max",
    max: |limits| limits.tables_max as u64,
};
const INSTANCES: Need = Need {
    what: "core instances",
    setting: "instances_max",
    max: |limits| limits.instances_max as u64,
};

impl Need {
    fn exceeded(self, has: u64, limits: &SandboxLimits) -> PublishRefusal {
        PublishRefusal::ExceedsSandbox {
            what: self.what,
            has,
            max: (self.max)(limits),
            setting: self.setting,
        }
    }
}

/// Reads from the complaint of a pool of sandboxes what a component has too much
/// of; it has no type, so it is known by its words. `None` if that is not what is
/// wrong.
pub(super) fn exceeds_pool(
    error: &wasmtime::Error,
    limits: &SandboxLimits,
) -> Option<PublishRefusal> {
    let text = format!("{error:#}");
    let number = |after: &str| -> Option<u64> {
        let rest = &text[text.find(after)? + after.len()..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        rest[..digits].parse().ok()
    };
    let contains = |unit: &str| {
        text.contains(unit)
            .then(|| number("transitively contains "))?
    };
    for (need, has) in [
        (INSTANCES, contains("core module instances, which")),
        (MEMORIES, contains("Wasm linear memories, which")),
        (TABLES, contains("tables, which")),
        (MEMORIES, number("defined memories count of ")),
        (TABLES, number("defined tables count of ")),
        (MEMORY, number("memory has a minimum byte size of ")),
        (ELEMENTS, number("has a minimum element size of ")),
    ] {
        if let Some(has) = has {
            return Some(need.exceeded(has, limits));
        }
    }
    text.contains("instance allocation for this")
        .then(|| PublishRefusal::DoesNotFit(shown(&text, SHOWN_TEXT_BYTES_MAX).into_owned()))
}
