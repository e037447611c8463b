//! Components built by hand, for what no toolchain makes on purpose: other
//! signatures, other imports, more memory than allowed.

use wasm_encoder::{
    Alias, CanonicalOption, CodeSection, ComponentBuilder, ComponentExportKind,
    ComponentExportSection, ComponentInstanceSection, ComponentSection, ComponentTypeRef,
    ComponentValType, ConstExpr, CustomSection, DataSection, ExportKind, ExportSection, Function,
    FunctionSection, InstanceType, Instruction, MemorySection, MemoryType, Module, ModuleArg,
    PrimitiveValType, RefType, TableSection, TableType, TypeBounds, TypeSection, ValType,
};

const STRING: ComponentValType = ComponentValType::Primitive(PrimitiveValType::String);
const U32: ComponentValType = ComponentValType::Primitive(PrimitiveValType::U32);

/// What `attempt.run` of a component looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Run {
    /// As the interface has it; completes with an empty result.
    #[default]
    Right,
    /// It returns a number.
    OtherResult,
    /// Its task has one field more.
    OneFieldMore,
    /// It is called something else.
    OtherName,
}

/// A component of the world `handler`, to be built.
#[derive(Debug, Clone, Default)]
pub struct HandmadeComponent {
    /// The type of what it exports.
    pub run: Run,
    /// Interfaces it imports beside those of its types, all empty.
    pub imports: Vec<String>,
    /// Whether it imports `log` with a function of another type.
    pub wrong_log: bool,
    /// Pages of 64 KiB its memory begins with; 2 when zero.
    pub memory_pages: u64,
    /// Elements of each of its further tables.
    pub tables: Vec<u64>,
    /// Further modules, each with a memory of so many pages, instantiated once.
    pub instances: Vec<u64>,
    /// Whether the memory of each further module has a byte near both ends.
    pub far_data: bool,
    /// Bytes of padding in the component.
    pub padding: usize,
}

impl HandmadeComponent {
    /// Builds it.
    pub fn build(&self) -> Vec<u8> {
        let mut component = ComponentBuilder::default();
        for name in &self.imports {
            let empty = component.type_instance(None, &InstanceType::new());
            component.import(name.as_str(), ComponentTypeRef::Instance(empty));
        }
        if self.wrong_log {
            let mut log = InstanceType::new();
            log.ty().function().params([("message", U32)]).result(None);
            log.export("log", ComponentTypeRef::Func(0));
            let log = component.type_instance(None, &log);
            component.import("flowhost:engine/log@0.1.0", ComponentTypeRef::Instance(log));
        }
        let (task, outcome, failure) = self.types(&mut component);
        for pages in &self.instances {
            let module = component.core_module(None, &memory_module(*pages, self.far_data));
            component.core_instantiate(None, module, NO_ARGUMENTS);
        }
        for elements in &self.tables {
            let module = component.core_module(None, &table_module(*elements));
            component.core_instantiate(None, module, NO_ARGUMENTS);
        }
        let module = component.core_module(None, &self.module());
        let instance = component.core_instantiate(None, module, NO_ARGUMENTS);
        let memory = component.core_alias_export(None, instance, "memory", ExportKind::Memory);
        let realloc = component.core_alias_export(None, instance, "realloc", ExportKind::Func);
        let run = component.core_alias_export(None, instance, "run", ExportKind::Func);
        let result = if self.run == Run::OtherResult {
            U32
        } else {
            let (result, ty) = component.type_defined(None);
            ty.result(
                Some(ComponentValType::Type(outcome)),
                Some(ComponentValType::Type(failure)),
            );
            ComponentValType::Type(result)
        };
        let (signature, mut ty) = component.type_function(None);
        ty.params([("task", ComponentValType::Type(task))])
            .result(Some(result));
        let options = [
            CanonicalOption::UTF8,
            CanonicalOption::Memory(memory),
            CanonicalOption::Realloc(realloc),
        ];
        let run = component.lift_func(None, run, signature, options);
        let name = if self.run == Run::OtherName {
            "walk"
        } else {
            "run"
        };
        let attempt = component.instance_count();
        let mut bytes = component.finish();
        let mut instances = ComponentInstanceSection::new();
        instances.export_items([(name, ComponentExportKind::Func, run)]);
        append(&mut bytes, &instances);
        let mut exports = ComponentExportSection::new();
        exports.export(
            "flowhost:engine/attempt@0.1.0",
            ComponentExportKind::Instance,
            attempt,
            None,
        );
        append(&mut bytes, &exports);
        if self.padding > 0 {
            let padding = CustomSection {
                name: "padding".into(),
                data: vec![0; self.padding].into(),
            };
            append(&mut bytes, &padding);
        }
        bytes
    }

    /// Imports the types of the engine, as any component does whose exports use
    /// them; returns task, outcome and failure.
    fn types(&self, component: &mut ComponentBuilder) -> (u32, u32, u32) {
        let mut types = InstanceType::new();
        let mut defined = 0;
        // Each definition is followed by its export, which is a type of its own.
        let mut name = |types: &mut InstanceType, name: &str| {
            types.export(name, ComponentTypeRef::Type(TypeBounds::Eq(defined)));
            defined += 2;
            ComponentValType::Type(defined - 1)
        };
        types.ty().defined_type().list(PrimitiveValType::U8);
        let bytes = name(&mut types, "bytes");
        types
            .ty()
            .defined_type()
            .record([("content-type", STRING), ("data", bytes)]);
        let payload = name(&mut types, "payload");
        types
            .ty()
            .defined_type()
            .enum_type(["initial", "retry", "reclaim", "replay", "fallback"]);
        let attempt_type = name(&mut types, "attempt-type");
        types.ty().defined_type().enum_type([
            "transient",
            "permanent",
            "infra-crash",
            "timeout",
            "cancelled",
        ]);
        let class = name(&mut types, "failure-class");
        types
            .ty()
            .defined_type()
            .record([("class", class), ("code", STRING), ("message", STRING)]);
        name(&mut types, "failure");
        types.ty().defined_type().option(STRING);
        let text = name(&mut types, "optional-text");
        types.ty().defined_type().tuple([STRING, STRING]);
        let tag = name(&mut types, "tag");
        types.ty().defined_type().list(tag);
        let tags = name(&mut types, "tags");
        let mut fields = vec![
            ("execution-id", STRING),
            ("namespace", STRING),
            ("kind", STRING),
            ("lane", STRING),
            ("flow-id", text),
            ("attempt-index", U32),
            ("attempt-id", STRING),
            ("attempt-type", attempt_type),
            (
                "resumes",
                ComponentValType::Primitive(PrimitiveValType::Bool),
            ),
            ("retries", U32),
            ("traceparent", text),
            ("input", payload),
            ("tags", tags),
        ];
        if self.run == Run::OneFieldMore {
            fields.push(("color", STRING));
        }
        types.ty().defined_type().record(fields);
        name(&mut types, "task");
        types
            .ty()
            .defined_type()
            .variant([("completed", Some(payload)), ("recorded", None)]);
        name(&mut types, "outcome");
        let types = component.type_instance(None, &types);
        let instance = component.import(
            "flowhost:engine/types@0.1.0",
            ComponentTypeRef::Instance(types),
        );
        let mut alias = |name| {
            component.alias(
                None,
                Alias::InstanceExport {
                    instance,
                    kind: ComponentExportKind::Type,
                    name,
                },
            )
        };
        (alias("task"), alias("outcome"), alias("failure"))
    }

    /// The module of `run`: memory is handed out from one place again and again,
    /// and what is returned is all zeros, which is a result without bytes.
    fn module(&self) -> Module {
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32; 4], [ValType::I32]);
        types.ty().function([ValType::I32], [ValType::I32]);
        let mut functions = FunctionSection::new();
        functions.function(0).function(1);
        let mut memories = MemorySection::new();
        memories.memory(memory(self.memory_pages.max(2)));
        let mut exports = ExportSection::new();
        exports
            .export("memory", ExportKind::Memory, 0)
            .export("realloc", ExportKind::Func, 0)
            .export("run", ExportKind::Func, 1);
        let mut code = CodeSection::new();
        for place in [4096, 1024] {
            let mut body = Function::new([]);
            body.instruction(&Instruction::I32Const(place));
            body.instruction(&Instruction::End);
            code.function(&body);
        }
        let mut module = Module::new();
        module
            .section(&types)
            .section(&functions)
            .section(&memories)
            .section(&exports)
            .section(&code);
        module
    }
}

/// Appends a section to a component.
fn append(bytes: &mut Vec<u8>, section: &impl ComponentSection) {
    section.append_to_component(bytes);
}

const NO_ARGUMENTS: [(&str, ModuleArg); 0] = [];

const fn memory(pages: u64) -> MemoryType {
    MemoryType {
        minimum: pages,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    }
}

fn memory_module(pages: u64, far_data: bool) -> Module {
    let mut memories = MemorySection::new();
    memories.memory(memory(pages));
    let mut module = Module::new();
    module.section(&memories);
    if far_data {
        let last = i32::try_from(pages * 65_536 - 8_192).expect("a small memory");
        let mut data = DataSection::new();
        data.active(0, &ConstExpr::i32_const(0), [1]);
        data.active(0, &ConstExpr::i32_const(last), [1]);
        module.section(&data);
    }
    module
}

fn table_module(elements: u64) -> Module {
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: elements,
        maximum: None,
        shared: false,
    });
    let mut module = Module::new();
    module.section(&tables);
    module
}
