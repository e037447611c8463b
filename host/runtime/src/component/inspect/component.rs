//! What a component is: its digest, its world and its imports.

use engine::{WORLD_HANDLER, WORLD_SERVICE};
use model::{Digest, Limits, quoted, quoted_list};
use sha2::{Digest as _, Sha256};
use wasmparser::Parser;

use super::names::{PACKAGE, is_ours, split};
use super::surface::surface;
use super::{PublishRefusal, imports};

/// What a component of each world exports.
const WORLDS: &[(&str, &str)] = &[("attempt", WORLD_HANDLER), ("serve", WORLD_SERVICE)];

/// What a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Digest of its bytes.
    pub digest: Digest,
    /// The world it fits.
    pub world: &'static str,
    /// Names of the interfaces it imports, sorted.
    pub imports: Vec<String>,
}

/// Returns the identity of bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Inspects a component.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, PublishRefusal> {
    if bytes.len() > limits.component_bytes_max as usize {
        return Err(PublishRefusal::TooLarge {
            bytes: bytes.len(),
            max: limits.component_bytes_max,
        });
    }
    if let Some((found, fix)) = recognize(bytes) {
        return Err(PublishRefusal::NotAComponent { found, fix });
    }
    let (mut imports, exports) = surface(bytes)?;
    if let Some(wrong) = imports::refuse(&imports) {
        return Err(PublishRefusal::Imports(wrong));
    }
    let world = world(&exports)?;
    imports.sort_unstable();
    Ok(Inspected {
        digest: digest(bytes),
        world,
        imports: imports.into_iter().map(str::to_owned).collect(),
    })
}

/// Finds the world of a component by its exports.
fn world(exports: &[&str]) -> Result<&'static str, PublishRefusal> {
    let mut fits = WORLDS
        .iter()
        .filter(|(interface, _)| exports.iter().any(|name| is_ours(name, interface)));
    match (fits.next(), fits.next()) {
        (Some((_, world)), None) => Ok(world),
        (None, _) => Err(PublishRefusal::NoWorld {
            found: exported_instead(exports),
        }),
        (Some(_), Some(_)) => Err(PublishRefusal::TwoWorlds),
    }
}

/// Recognizes files that people publish by mistake.
fn recognize(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const BUILD: &str = "Build one with `cargo build --target wasm32-wasip2`, or see guest-examples/ for other languages";
    if bytes.is_empty() {
        return Some(("an empty file", BUILD));
    }
    if Parser::is_component(bytes) {
        return None;
    }
    Some(if Parser::is_core_wasm(bytes) {
        (
            "a core WebAssembly module",
            "Build for the target wasm32-wasip2, or wrap the module with `wasm-tools component new`",
        )
    } else if bytes.starts_with(b"\x7fELF") {
        // What wasmtime compiles to is an ELF file as well.
        (
            "native code (an ELF file, such as a .cwasm or an executable)",
            "Publish the .wasm it was made from: code is compiled where it runs",
        )
    } else if bytes.starts_with(b"\x1f\x8b") || bytes.starts_with(b"PK") {
        (
            "a compressed archive",
            "Unpack it and publish the .wasm inside",
        )
    } else if bytes.starts_with(b"(component") || bytes.starts_with(b"(module") {
        (
            "the text form of WebAssembly",
            "Turn it into the binary form with `wasm-tools parse`",
        )
    } else if std::str::from_utf8(&bytes[..bytes.len().min(256)]).is_ok() {
        ("text", BUILD)
    } else {
        ("an unknown kind of file", BUILD)
    })
}

/// Says what is exported in place of what a world asks for.
fn exported_instead(exports: &[&str]) -> String {
    if let Some(earlier) = exports.iter().find(|name| is_ours(name, "service")) {
        format!(
            " but {}, of the world `worker`, which is now the world `service`: name that where the bindings are generated, and build it again",
            quoted(earlier)
        )
    } else if let Some(other) = exports.iter().find(|name| split(name).0 == PACKAGE) {
        format!(" but {}", quoted(other))
    } else if exports.is_empty() {
        String::new()
    } else {
        format!("; it exports {}", quoted_list(exports.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::surface::{ITEMS_MAX, SECTIONS_MAX};
    use super::*;

    #[test]
    fn a_file_that_is_not_a_component_is_named() {
        let found = |bytes: &[u8]| match inspect(bytes, &Limits::default()) {
            Err(PublishRefusal::NotAComponent { found, .. }) => found,
            other => panic!("{other:?}"),
        };
        assert_eq!(found(b""), "an empty file");
        assert_eq!(found(b"\0asm\x01\0\0\0"), "a core WebAssembly module");
        assert_eq!(found(b"#!/bin/sh\n"), "text");
        assert_eq!(found(b"(component)"), "the text form of WebAssembly");
        assert!(found(b"\x7fELF\x02").starts_with("native code"));
        assert_eq!(found(b"\xff\xfe\x00\x01"), "an unknown kind of file");
    }

    #[test]
    fn the_world_follows_from_the_exports() {
        let of = |names: &[&str]| world(names);
        assert_eq!(of(&["flowhost:engine/attempt@0.1.0"]), Ok("handler"));
        assert_eq!(of(&["flowhost:engine/serve@0.1.3", "x"]), Ok("service"));
        let both = [
            "flowhost:engine/attempt@0.1.0",
            "flowhost:engine/serve@0.1.0",
        ];
        assert_eq!(of(&both), Err(PublishRefusal::TwoWorlds));
        let refusal = of(&["flowhost:engine/serve@0.2.0"]).unwrap_err();
        assert!(refusal.to_string().contains("@0.2.0"), "{refusal}");
        // What a component of the world `worker` exported.
        let refusal = of(&["flowhost:engine/service@0.1.0"]).unwrap_err();
        assert!(refusal.to_string().contains("world `service`"), "{refusal}");
    }

    #[test]
    fn a_component_of_no_world_is_refused() {
        let empty = b"\0asm\x0d\0\x01\0";
        let refusal = inspect(empty, &Limits::default()).unwrap_err();
        assert_eq!(refusal.code(), "component_exports");
        let small = Limits {
            component_bytes_max: 4,
            ..Limits::default()
        };
        assert_eq!(
            inspect(empty, &small).unwrap_err().code(),
            "component_too_large"
        );
    }

    /// A component of one import section with `count` imports called `name`.
    fn importing(name: &str, count: u32) -> Vec<u8> {
        let mut body = leb(count);
        for _ in 0..count {
            // An import of an instance of type 0.
            body.push(0);
            body.extend(leb(u32::try_from(name.len()).unwrap()));
            body.extend(name.as_bytes());
            body.extend([0x05, 0x00]);
        }
        let mut file = b"\0asm\x0d\0\x01\0".to_vec();
        // A section of types with one instance type that is empty.
        file.extend([0x07, 0x03, 0x01, 0x42, 0x00]);
        file.push(0x0a);
        file.extend(leb(u32::try_from(body.len()).unwrap()));
        file.extend(body);
        file
    }

    fn leb(mut value: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let low = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 {
                bytes.push(low);
                return bytes;
            }
            bytes.push(low | 0x80);
        }
    }

    #[test]
    fn a_file_of_millions_of_imports_is_refused_at_the_bound_and_in_a_sentence() {
        let file = importing("a", 6_000_000);
        let refusal = inspect(&file, &Limits::default()).unwrap_err();
        assert_eq!(refusal.code(), "component_exceeds_limits");
        let text = refusal.to_string();
        assert!(text.contains("more than 256 imports"), "{text}");
        assert!(text.len() < 400, "{} bytes", text.len());
    }

    #[test]
    fn a_refusal_is_short_however_long_the_names_are() {
        let file = importing(&"x".repeat(90_000), 200);
        let refusal = inspect(&file, &Limits::default()).unwrap_err();
        assert_eq!(refusal.code(), "component_imports");
        let text = refusal.to_string();
        assert!(text.contains("and 196 more"), "{text}");
        assert!(text.len() < 2000, "{} bytes", text.len());
        let long = "y".repeat(1 << 20);
        let exports = exported_instead(&vec![long.as_str(); 100]);
        assert!(exports.len() < 1000, "{} bytes", exports.len());
    }

    #[test]
    fn a_file_of_nothing_but_sections_or_types_is_refused_at_the_bound() {
        let mut sections = b"\0asm\x0d\0\x01\0".to_vec();
        for _ in 0..=SECTIONS_MAX {
            sections.extend([0x00, 0x02, 0x01, b'x']);
        }
        let refusal = inspect(&sections, &Limits::default()).unwrap_err();
        assert!(refusal.to_string().contains("sections"), "{refusal}");
        let mut types = b"\0asm\x0d\0\x01\0".to_vec();
        let mut body = leb(ITEMS_MAX + 1);
        body.extend(std::iter::repeat_n([0x42, 0x00], ITEMS_MAX as usize + 1).flatten());
        types.push(0x07);
        types.extend(leb(u32::try_from(body.len()).unwrap()));
        types.extend(body);
        let refusal = inspect(&types, &Limits::default()).unwrap_err();
        assert!(refusal.to_string().contains("types, aliases"), "{refusal}");
    }
}
