//! What a sandbox of a component occupies when it is opened.
//!
//! Counted once, by the process that compiles the component, and kept behind the
//! compiled code: 48 bytes at its end. What wasmtime says about a loaded component
//! leaves out its core instances and the sum of its memories.

use wasmtime_environ::component::{
    ComponentTypesBuilder, GlobalInitializer, InstantiateModule, Translator, VMComponentOffsets,
};
use wasmtime_environ::wasmparser::{Validator, WasmFeatures};
use wasmtime_environ::{HostPtr, ScopeVec, Tunables, VMOffsets};

use crate::limits::{SandboxLimits, TABLE_ELEMENT_BYTES};

/// What the store keeps of a core instance besides what its module asks for.
const CORE_INSTANCE_BYTES: u64 = 512;
/// Store, handles, WASI and the guest's calls in flight, as measured on small
/// components, doubled.
const SANDBOX_BYTES: u64 = 32 << 10;
/// Most bytes all instances of a component may take, their memories and tables left
/// out.
pub(crate) const INSTANCE_BYTES_MAX: u64 = 8 << 20;

const MARK: &[u8; 8] = b"fh-needs";
const SEAL_BYTES: usize = MARK.len() + 5 * 8;

/// What a sandbox occupies when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Needs {
    pub(crate) core_instances: u64,
    pub(crate) memories: u64,
    pub(crate) tables: u64,
    /// Initial linear memory and elements of tables, in bytes.
    pub(crate) memory_bytes: u64,
    /// Instances of the component and its modules, in bytes.
    pub(crate) instance_bytes: u64,
}

/// The room to open a sandbox with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) memories: u64,
    pub(crate) tables: u64,
    /// All bytes it takes.
    pub(crate) bytes: u64,
    /// Those of them that its meter will count.
    pub(crate) metered_bytes: u64,
}

impl Needs {
    /// Returns the room to open a sandbox with, for whose task the host keeps
    /// `kept_bytes`.
    pub(crate) fn wanted(&self, limits: &SandboxLimits, kept_bytes: u64) -> Wanted {
        let metered_bytes = self.memory_bytes.saturating_add(kept_bytes);
        let fixed_bytes = self.instance_bytes + SANDBOX_BYTES + u64::from(limits.log_bytes_max);
        Wanted {
            memories: self.memories,
            tables: self.tables,
            bytes: metered_bytes.saturating_add(fixed_bytes),
            metered_bytes,
        }
    }

    /// Returns why no sandbox of such a component can be opened under `limits`.
    pub(crate) fn exceed(&self, limits: &SandboxLimits) -> Option<String> {
        let of = |has: u64, max: u64, what: &str, setting: &str| {
            (has > max).then(|| format!("it has {has} {what}; {max} are allowed ({setting})"))
        };
        of(
            self.core_instances,
            limits.instances_max.into(),
            "core instances",
            "sandbox.instances_max",
        )
        .or_else(|| {
            of(
                self.memories,
                limits.memories_max.into(),
                "linear memories",
                "sandbox.memories_max",
            )
        })
        .or_else(|| {
            of(
                self.tables,
                limits.tables_max.into(),
                "tables",
                "sandbox.tables_max",
            )
        })
        .or_else(|| {
            of(
                self.memory_bytes,
                limits.memory_bytes_max,
                "bytes of memory and tables before it does anything",
                "sandbox.memory_bytes_max",
            )
        })
        .or_else(|| {
            (self.instance_bytes > INSTANCE_BYTES_MAX).then(|| {
                format!(
                    "its instances take {} bytes, without memories and tables; {INSTANCE_BYTES_MAX} are allowed",
                    self.instance_bytes
                )
            })
        })
    }

    fn fields(&self) -> [u64; 5] {
        [
            self.core_instances,
            self.memories,
            self.tables,
            self.memory_bytes,
            self.instance_bytes,
        ]
    }
}

/// Counts what a component needs. Takes as long as checking it does.
pub(crate) fn count(wasm: &[u8]) -> wasmtime::Result<Needs> {
    let tunables = Tunables::default_host();
    let scope = ScopeVec::new();
    // The compiler checks which features are allowed.
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut types = ComponentTypesBuilder::new(&validator);
    let (translated, modules) =
        Translator::new(&tunables, &mut validator, &mut types, &scope).translate(wasm)?;
    let component = &translated.component;
    let mut needs = Needs {
        instance_bytes: VMComponentOffsets::new(HostPtr, component)
            .size_of_vmctx()
            .into(),
        ..Needs::default()
    };
    for initializer in &component.initializers {
        let GlobalInitializer::InstantiateModule(instantiated, _) = initializer else {
            continue;
        };
        needs.core_instances += 1;
        // Modules that come from outside are refused when the imports are looked at.
        let InstantiateModule::Static(index, _) = instantiated else {
            continue;
        };
        let module = &modules[*index].module;
        let offsets = VMOffsets::new(HostPtr, module);
        needs.instance_bytes += u64::from(offsets.size_of_vmctx()) + CORE_INSTANCE_BYTES;
        needs.memories += module.num_defined_memories() as u64;
        needs.tables += module.num_defined_tables() as u64;
        let memories = module.memories.values().skip(module.num_imported_memories);
        for memory in memories {
            let bytes = memory.minimum_byte_size().unwrap_or(u64::MAX);
            needs.memory_bytes = needs.memory_bytes.saturating_add(bytes);
        }
        let tables = module.tables.values().skip(module.num_imported_tables);
        for table in tables {
            let bytes = table.limits.min.saturating_mul(TABLE_ELEMENT_BYTES);
            needs.memory_bytes = needs.memory_bytes.saturating_add(bytes);
        }
    }
    Ok(needs)
}

/// Puts the needs of a component behind its compiled code.
pub(crate) fn sealed(mut code: Vec<u8>, needs: &Needs) -> Vec<u8> {
    code.reserve_exact(SEAL_BYTES);
    for field in needs.fields() {
        code.extend_from_slice(&field.to_le_bytes());
    }
    code.extend_from_slice(MARK);
    code
}

/// Splits what [`sealed`] made. `None` if it was not made by it.
pub(crate) fn split(sealed: &[u8]) -> Option<(&[u8], Needs)> {
    let (rest, mark) = sealed.split_last_chunk::<8>()?;
    let (code, fields) = rest.split_last_chunk::<40>()?;
    if mark != MARK {
        return None;
    }
    let mut fields = fields
        .as_chunks::<8>()
        .0
        .iter()
        .copied()
        .map(u64::from_le_bytes);
    let needs = Needs {
        core_instances: fields.next()?,
        memories: fields.next()?,
        tables: fields.next()?,
        memory_bytes: fields.next()?,
        instance_bytes: fields.next()?,
    };
    Some((code, needs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_found_behind_the_code_they_were_put_behind() {
        let needs = Needs {
            core_instances: 34,
            memories: 2,
            tables: 3,
            memory_bytes: 5 << 20,
            instance_bytes: 7,
        };
        let sealed = sealed(b"code".to_vec(), &needs);
        assert_eq!(split(&sealed), Some((b"code".as_slice(), needs)));
        assert_eq!(
            split(b"code of before, as long as you like, with nothing behind"),
            None
        );
        assert_eq!(split(b"code"), None);
    }

    #[test]
    fn what_can_never_be_opened_names_the_setting() {
        let limits = SandboxLimits::default();
        let fits = Needs {
            core_instances: limits.instances_max.into(),
            memories: limits.memories_max.into(),
            tables: limits.tables_max.into(),
            memory_bytes: limits.memory_bytes_max,
            instance_bytes: INSTANCE_BYTES_MAX,
        };
        assert_eq!(fits.exceed(&limits), None);
        let cases = [
            (
                Needs {
                    core_instances: fits.core_instances + 1,
                    ..fits
                },
                "sandbox.instances_max",
            ),
            (
                Needs {
                    memories: fits.memories + 1,
                    ..fits
                },
                "sandbox.memories_max",
            ),
            (
                Needs {
                    tables: fits.tables + 1,
                    ..fits
                },
                "sandbox.tables_max",
            ),
            (
                Needs {
                    memory_bytes: fits.memory_bytes + 1,
                    ..fits
                },
                "sandbox.memory_bytes_max",
            ),
            (
                Needs {
                    instance_bytes: fits.instance_bytes + 1,
                    ..fits
                },
                "instances take",
            ),
        ];
        for (needs, word) in cases {
            let why = needs.exceed(&limits).expect("too much");
            assert!(why.contains(word), "{why}");
        }
    }
}
