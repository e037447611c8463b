//! The footprint of a component: what a sandbox of it occupies when it is opened.
//!
//! Counted once, by the process that compiles the component, and appended to the
//! compiled code: 56 bytes at its end. What wasmtime says about a loaded component
//! leaves out its core instances and the sum of its memories.

use wasmtime_environ::component::{
    ComponentTypesBuilder, GlobalInitializer, InstantiateModule, Translator, VMComponentOffsets,
};
use wasmtime_environ::wasmparser::{Validator, WasmFeatures};
use wasmtime_environ::{HostPtr, ScopeVec, Tunables, VMOffsets};

use crate::component::inspect::PublishRefusal;
use crate::component::wasm::INSTANCE_BYTES_MAX;
use crate::memory::{Demand, TABLE_ELEMENT_BYTES};
use crate::settings::SandboxLimits;

/// What the store keeps of a core instance besides what its module asks for.
const CORE_INSTANCE_BYTES: u64 = 512;
/// Store, handles, WASI and the guest's calls in flight, as measured on small
/// components, doubled.
const SANDBOX_BYTES: u64 = 32 << 10;
const MARK: &[u8; 8] = b"fh-needs";
/// Number of fields that [`Footprint`] has.
const FIELDS: usize = 6;
const APPENDED_BYTES: usize = MARK.len() + FIELDS * 8;

/// What a sandbox of a component occupies when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Footprint {
    pub(crate) core_instances: u64,
    pub(crate) memories: u64,
    pub(crate) tables: u64,
    /// Initial elements of all tables together.
    pub(crate) table_elements: u64,
    /// Initial linear memory and elements of tables, in bytes.
    pub(crate) memory_bytes: u64,
    /// Instances of the component and its modules, in bytes.
    pub(crate) instance_bytes: u64,
}

impl Footprint {
    /// Returns what a sandbox is opened with, for whose task the host keeps `kept_bytes`.
    pub(crate) fn demand(&self, limits: &SandboxLimits, kept_bytes: u64) -> Demand {
        let metered_bytes = self.memory_bytes.saturating_add(kept_bytes);
        let fixed_bytes = self.instance_bytes + SANDBOX_BYTES + u64::from(limits.log_bytes_max);
        Demand {
            memories: self.memories,
            tables: self.tables,
            bytes: metered_bytes.saturating_add(fixed_bytes),
            metered_bytes,
        }
    }

    /// Checks that a sandbox of such a component can be opened under `limits`.
    pub(crate) fn check(&self, limits: &SandboxLimits) -> Result<(), PublishRefusal> {
        let check = |has: u64, what, max: u64, setting| {
            (has <= max)
                .then_some(())
                .ok_or(PublishRefusal::ExceedsSandbox {
                    what,
                    has,
                    max,
                    setting,
                })
        };
        let max = limits.instances_max.into();
        check(self.core_instances, "core instances", max, "instances_max")?;
        let max = limits.memories_max.into();
        check(self.memories, "linear memories", max, "memories_max")?;
        let max = limits.tables_max.into();
        check(self.tables, "tables", max, "tables_max")?;
        let max = limits.table_elements_max.into();
        let what = "elements of tables to begin with";
        check(self.table_elements, what, max, "table_elements_max")?;
        let max = limits.memory_bytes_max;
        let what = "bytes of memory and tables to begin with";
        check(self.memory_bytes, what, max, "memory_bytes_max")?;
        if self.instance_bytes > INSTANCE_BYTES_MAX {
            return Err(PublishRefusal::DoesNotFit(format!(
                "its instances take {} bytes, without memories and tables; {INSTANCE_BYTES_MAX} are allowed",
                self.instance_bytes
            )));
        }
        Ok(())
    }

    fn fields_mut(&mut self) -> [&mut u64; FIELDS] {
        [
            &mut self.core_instances,
            &mut self.memories,
            &mut self.tables,
            &mut self.table_elements,
            &mut self.memory_bytes,
            &mut self.instance_bytes,
        ]
    }
}

/// Counts the footprint of a component. Takes as long as validating it does.
pub(crate) fn count(wasm: &[u8]) -> wasmtime::Result<Footprint> {
    let tunables = Tunables::default_host();
    let scope = ScopeVec::new();
    // The compiler checks which features are allowed.
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut types = ComponentTypesBuilder::new(&validator);
    let (translated, modules) =
        Translator::new(&tunables, &mut validator, &mut types, &scope).translate(wasm)?;
    let component = &translated.component;
    let mut footprint = Footprint {
        instance_bytes: VMComponentOffsets::new(HostPtr, component)
            .size_of_vmctx()
            .into(),
        ..Footprint::default()
    };
    for initializer in &component.initializers {
        let GlobalInitializer::InstantiateModule(instantiated, _) = initializer else {
            continue;
        };
        footprint.core_instances += 1;
        // Modules that come from outside are refused when the imports are looked at.
        let InstantiateModule::Static(index, _) = instantiated else {
            continue;
        };
        let module = &modules[*index].module;
        let offsets = VMOffsets::new(HostPtr, module);
        footprint.instance_bytes += u64::from(offsets.size_of_vmctx()) + CORE_INSTANCE_BYTES;
        footprint.memories += module.num_defined_memories() as u64;
        footprint.tables += module.num_defined_tables() as u64;
        let memories = module.memories.values().skip(module.num_imported_memories);
        for memory in memories {
            let bytes = memory.minimum_byte_size().unwrap_or(u64::MAX);
            footprint.memory_bytes = footprint.memory_bytes.saturating_add(bytes);
        }
        let tables = module.tables.values().skip(module.num_imported_tables);
        for table in tables {
            footprint.table_elements = footprint.table_elements.saturating_add(table.limits.min);
        }
    }
    let table_bytes = footprint.table_elements.saturating_mul(TABLE_ELEMENT_BYTES);
    footprint.memory_bytes = footprint.memory_bytes.saturating_add(table_bytes);
    Ok(footprint)
}

/// Appends the footprint of a component to its compiled code.
pub(crate) fn append(mut code: Vec<u8>, mut footprint: Footprint) -> Vec<u8> {
    code.reserve_exact(APPENDED_BYTES);
    for field in footprint.fields_mut() {
        code.extend_from_slice(&field.to_le_bytes());
    }
    code.extend_from_slice(MARK);
    code
}

/// Splits the output of [`append`] into code and footprint; `None` for other bytes.
pub(crate) fn split(bytes: &[u8]) -> Option<(&[u8], Footprint)> {
    let (rest, mark) = bytes.split_last_chunk::<8>()?;
    let (code, fields) = rest.split_last_chunk::<{ FIELDS * 8 }>()?;
    if mark != MARK {
        return None;
    }
    let (fields, _) = fields.as_chunks::<8>();
    let mut fields = fields.iter().copied().map(u64::from_le_bytes);
    let mut footprint = Footprint::default();
    for field in footprint.fields_mut() {
        *field = fields.next()?;
    }
    Some((code, footprint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footprint_is_read_back_from_behind_the_code() {
        let footprint = Footprint {
            core_instances: 34,
            memories: 2,
            tables: 3,
            table_elements: 9,
            memory_bytes: 5 << 20,
            instance_bytes: 7,
        };
        let bytes = append(b"code".to_vec(), footprint);
        assert_eq!(split(&bytes), Some((b"code".as_slice(), footprint)));
        assert_eq!(
            split(b"code without a footprint, longer than a footprint would be"),
            None
        );
        assert_eq!(split(b"code"), None);
    }

    #[test]
    fn a_component_that_can_never_be_opened_is_refused_by_setting() {
        let limits = SandboxLimits::default();
        let fits = Footprint {
            core_instances: limits.instances_max.into(),
            memories: limits.memories_max.into(),
            tables: limits.tables_max.into(),
            table_elements: limits.table_elements_max.into(),
            memory_bytes: limits.memory_bytes_max,
            instance_bytes: INSTANCE_BYTES_MAX,
        };
        assert_eq!(fits.check(&limits), Ok(()));
        let cases = [
            (
                Footprint {
                    core_instances: fits.core_instances + 1,
                    ..fits
                },
                "sandbox.instances_max",
            ),
            (
                Footprint {
                    memories: fits.memories + 1,
                    ..fits
                },
                "sandbox.memories_max",
            ),
            (
                Footprint {
                    tables: fits.tables + 1,
                    ..fits
                },
                "sandbox.tables_max",
            ),
            (
                Footprint {
                    table_elements: fits.table_elements + 1,
                    ..fits
                },
                "sandbox.table_elements_max",
            ),
            (
                Footprint {
                    memory_bytes: fits.memory_bytes + 1,
                    ..fits
                },
                "sandbox.memory_bytes_max",
            ),
            (
                Footprint {
                    instance_bytes: fits.instance_bytes + 1,
                    ..fits
                },
                "instances take",
            ),
        ];
        for (footprint, word) in cases {
            let why = footprint.check(&limits).expect_err("too much").to_string();
            assert!(why.contains(word), "{why}");
        }
    }
}
