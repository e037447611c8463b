//! Gives a component parts it makes no use of, as the runtimes of some languages do:
//! one of Python with NumPy has 34 core instances.

/// Parts to be added.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts {
    /// Core instances with nothing in them.
    pub core_instances: u32,
    /// Linear memories, each in a core instance of its own.
    pub memories: u32,
    /// Pages of 64 KiB each of these memories begins with.
    pub pages: u32,
    /// Tables, each in a core instance of its own.
    pub tables: u32,
}

const EMPTY: &[u8] = b"\0asm\x01\0\0\0";
const MODULE: u8 = 1;
const INSTANCE: u8 = 2;

/// Returns `component` with `parts` instantiated beside what it does.
///
/// # Panics
/// When it is not a component.
pub fn with_parts(component: &[u8], parts: Parts) -> Vec<u8> {
    let first = modules(component);
    let mut bytes = component.to_vec();
    let memory = [
        EMPTY,
        &section(5, &[&[1, 0][..], &leb(parts.pages)].concat()),
    ]
    .concat();
    let table = [EMPTY, &section(4, &[1, 0x70, 0, 0])].concat();
    for module in [EMPTY, &memory, &table] {
        bytes.extend(section(MODULE, module));
    }
    let numbers = [parts.core_instances, parts.memories, parts.tables];
    for (number, module) in numbers.into_iter().zip(first..) {
        let mut instances = leb(number);
        for _ in 0..number {
            // Of a module, with no arguments.
            instances.push(0);
            instances.extend(leb(module));
            instances.push(0);
        }
        bytes.extend(section(INSTANCE, &instances));
    }
    bytes
}

/// Counts the modules of a component itself, which are numbered in order.
fn modules(component: &[u8]) -> u32 {
    let mut rest = component
        .strip_prefix(b"\0asm\x0d\0\x01\0")
        .expect("a component");
    let mut modules = 0;
    while let Some((id, after)) = rest.split_first() {
        let (mut size, mut shift, mut at) = (0_usize, 0, 0);
        loop {
            let byte = after[at];
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            at += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        modules += u32::from(*id == MODULE);
        rest = &after[at + size..];
    }
    modules
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).expect("a section is small");
    [&[id][..], &leb(size), content].concat()
}

fn leb(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}
