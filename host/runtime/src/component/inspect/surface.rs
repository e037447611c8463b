//! The names of what a component imports and exports, read up to bounds.

use wasmparser::{Chunk, Encoding, Parser, Payload, SectionLimited};

use super::PublishRefusal;

/// Most things a component may import; all this host offers are some forty.
const IMPORTS_MAX: u32 = 256;
/// Most things a component may export.
const EXPORTS_MAX: u32 = 256;
/// Most sections of a component, nested modules and components counting as one.
/// An interpreter with forty libraries linked together has some hundreds.
pub(super) const SECTIONS_MAX: u32 = 20_000;
/// Most types, aliases, instances and functions that a component defines.
pub(super) const ITEMS_MAX: u32 = 100_000;

/// Reads the names of a component's own imports and exports.
pub(super) fn surface(bytes: &[u8]) -> Result<(Vec<&str>, Vec<&str>), PublishRefusal> {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let (mut sections, mut items) = (Count::of("sections", SECTIONS_MAX), Count::items());
    let (mut parser, mut rest) = (Parser::new(0), bytes);
    loop {
        let (payload, consumed) = match parser.parse(rest, true).map_err(malformed)? {
            Chunk::Parsed { payload, consumed } => (payload, consumed),
            Chunk::NeedMoreData(_) => return Err(PublishRefusal::malformed("it is cut short")),
        };
        rest = &rest[consumed..];
        sections.add(1)?;
        match payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } => return Err(PublishRefusal::malformed("it begins like a module")),
            Payload::ModuleSection {
                unchecked_range, ..
            }
            | Payload::ComponentSection {
                unchecked_range, ..
            } => {
                let nested = unchecked_range.len();
                rest = rest.get(nested..).ok_or_else(|| {
                    PublishRefusal::malformed("a module or component within it is cut short")
                })?;
            }
            Payload::ComponentImportSection(section) => {
                names(section, "imports", IMPORTS_MAX, &mut imports, |import| {
                    import.name.name
                })?;
            }
            Payload::ComponentExportSection(section) => {
                names(section, "exports", EXPORTS_MAX, &mut exports, |export| {
                    export.name.name
                })?;
            }
            Payload::CoreTypeSection(section) => items.add(section.count())?,
            Payload::ComponentTypeSection(section) => items.add(section.count())?,
            Payload::ComponentAliasSection(section) => items.add(section.count())?,
            Payload::ComponentInstanceSection(section) => items.add(section.count())?,
            Payload::ComponentCanonicalSection(section) => items.add(section.count())?,
            Payload::InstanceSection(section) => items.add(section.count())?,
            Payload::End(_) => return Ok((imports, exports)),
            _ => {}
        }
    }
}

/// Adds the name of each item of a section to `found`, up to `max`.
fn names<'a, T: wasmparser::FromReader<'a>>(
    section: SectionLimited<'a, T>,
    what: &'static str,
    max: u32,
    found: &mut Vec<&'a str>,
    name: impl Fn(T) -> &'a str,
) -> Result<(), PublishRefusal> {
    for item in section {
        if found.len() >= max as usize {
            return Err(PublishRefusal::TooManyParts { what, max });
        }
        found.push(name(item.map_err(malformed)?));
    }
    Ok(())
}

fn malformed(error: wasmparser::BinaryReaderError) -> PublishRefusal {
    PublishRefusal::malformed(&error.to_string())
}

/// Counts what a component has of something that is bounded.
struct Count {
    what: &'static str,
    left: u32,
    max: u32,
}

impl Count {
    const fn of(what: &'static str, max: u32) -> Self {
        Self {
            what,
            left: max,
            max,
        }
    }

    const fn items() -> Self {
        Self::of("types, aliases, instances and functions", ITEMS_MAX)
    }

    fn add(&mut self, more: u32) -> Result<(), PublishRefusal> {
        self.left = self
            .left
            .checked_sub(more)
            .ok_or(PublishRefusal::TooManyParts {
                what: self.what,
                max: self.max,
            })?;
        Ok(())
    }
}
