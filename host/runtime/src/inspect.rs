//! Looks at the bytes of a component before anything else is done with them:
//! what they are, what they import and what they offer.
//!
//! Nothing is compiled here; a component that passes may still fail to compile
//! or to link. Refusals name what was found and what to do.

use std::fmt::Write as _;

use engine::{WORLD_HANDLER, WORLD_WORKER};
use model::{Digest, Limits};
use sha2::{Digest as _, Sha256};
use wasmparser::{Encoding, Parser, Payload};

/// The package components are built against, and the version offered.
pub const PACKAGE: &str = "flowhost:engine";
/// The version offered. Every `0.1.x` is of one track and fits.
pub const VERSION: &str = "0.1.0";

const INTERFACES: &[&str] = &[
    "types",
    "claim",
    "complete",
    "executions",
    "log",
    "signal",
    "suspend",
];
/// What a component of each world exports.
const WORLDS: &[(&str, &str)] = &[("attempt", WORLD_HANDLER), ("service", WORLD_WORKER)];
/// Packages of WASI 0.2 that are linked. Sockets are among them because
/// interpreters import them whatever the handler does; opening one is denied.
const WASI: &[&str] = &["cli", "clocks", "io", "random", "filesystem", "sockets"];

/// What a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Its identity.
    pub digest: Digest,
    /// The world it fits.
    pub world: &'static str,
    /// What it imports, sorted.
    pub imports: Vec<String>,
}

/// Why a component is not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishRefusal {
    /// It has too many bytes.
    #[error(
        "the component has {bytes} bytes; at most {max} are allowed (limits.component_bytes_max). Build it optimised for size and without debug information, or ask the operator for more"
    )]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What it may have.
        max: u32,
    },
    /// It is no component at all.
    #[error("this is {found}, not a WebAssembly component. {fix}")]
    NotAComponent {
        /// What it is instead.
        found: &'static str,
        /// What to do.
        fix: &'static str,
    },
    /// Its structure is broken.
    #[error(
        "the component is malformed: {0}. Build it again; if it was copied, compare its size with the original"
    )]
    Malformed(String),
    /// It imports what this host does not offer.
    #[error("the component imports {}", join(.0))]
    Imports(Vec<String>),
    /// It exports what no world asks for.
    #[error(
        "the component exports neither `{PACKAGE}/attempt@{VERSION}` nor `{PACKAGE}/service@{VERSION}`{found}. Build it against the world `handler` of wit/ and export `attempt.run`, or against `worker` and export `service.serve`"
    )]
    NoWorld {
        /// What it exports instead, in words.
        found: String,
    },
    /// It exports what two worlds ask for.
    #[error(
        "the component exports both `{PACKAGE}/attempt` and `{PACKAGE}/service`: it is either a handler or a worker. Build two components"
    )]
    TwoWorlds,
    /// The compiler refused it.
    #[error("the component does not compile: {0}")]
    DoesNotCompile(String),
    /// It compiles but does not fit the interfaces.
    #[error(
        "the component does not fit the interfaces of this host: {0}. Build it against the wit/ of {PACKAGE} {VERSION}"
    )]
    DoesNotLink(String),
    /// No sandbox of it could be opened.
    #[error(
        "no sandbox of the component could be opened: {0}. Build it smaller, or ask the operator for more"
    )]
    NeverOpens(String),
}

impl PublishRefusal {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "component_too_large",
            Self::NotAComponent { .. } => "not_a_component",
            Self::Malformed(_) => "component_malformed",
            Self::Imports(_) => "component_imports",
            Self::NoWorld { .. } | Self::TwoWorlds => "component_exports",
            Self::DoesNotCompile(_) => "component_does_not_compile",
            Self::DoesNotLink(_) => "component_does_not_link",
            Self::NeverOpens(_) => "component_never_opens",
        }
    }
}

/// Returns the identity of bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Looks at a component.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, PublishRefusal> {
    if bytes.len() > limits.component_bytes_max as usize {
        return Err(PublishRefusal::TooLarge {
            bytes: bytes.len(),
            max: limits.component_bytes_max,
        });
    }
    if let Some((found, fix)) = something_else(bytes) {
        return Err(PublishRefusal::NotAComponent { found, fix });
    }
    let (mut imports, exports) = surface(bytes)?;
    let wrong: Vec<String> = imports.iter().filter_map(|name| refused(name)).collect();
    if !wrong.is_empty() {
        return Err(PublishRefusal::Imports(wrong));
    }
    let world = world(&exports)?;
    imports.sort_unstable();
    Ok(Inspected {
        digest: digest(bytes),
        world,
        imports,
    })
}

/// Tells the world from what a component exports.
fn world(exports: &[String]) -> Result<&'static str, PublishRefusal> {
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

/// Recognises what people publish by mistake.
fn something_else(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
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

/// Reads the names of a component's own imports and exports.
fn surface(bytes: &[u8]) -> Result<(Vec<String>, Vec<String>), PublishRefusal> {
    let malformed =
        |error: wasmparser::BinaryReaderError| PublishRefusal::Malformed(error.to_string());
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                return Err(PublishRefusal::Malformed("it begins like a module".into()));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

/// Says what is wrong with an import, if anything is.
fn refused(name: &str) -> Option<String> {
    let (package, interface, version) = split(name);
    if package == PACKAGE {
        if !same_track(version) {
            return Some(format!(
                "`{name}`, but this host offers {PACKAGE} {VERSION}: build it against the wit/ of this host"
            ));
        }
        return (!INTERFACES.contains(&interface)).then(|| {
            format!(
                "`{name}`, which {PACKAGE} {VERSION} does not have: it has {}",
                INTERFACES.join(", ")
            )
        });
    }
    match package.strip_prefix("wasi:") {
        Some(wasi) if WASI.contains(&wasi) => (!version.starts_with("0.2.")).then(|| {
            format!("`{name}`, but this host offers WASI 0.2: build it for wasm32-wasip2")
        }),
        Some("http") => Some(format!(
            "`{name}`, but components have no network here: leave the feature out of the build (jco: --disable http)"
        )),
        _ => Some(format!(
            "`{name}`, which this host does not offer: a component may import {PACKAGE} and WASI 0.2 (cli, clocks, io, random)"
        )),
    }
}

fn exported_instead(exports: &[String]) -> String {
    let mut text = String::new();
    if let Some(other) = exports.iter().find(|name| split(name).0 == PACKAGE) {
        let _ = write!(text, " but `{other}`");
    } else if !exports.is_empty() {
        let shown: Vec<_> = exports
            .iter()
            .take(5)
            .map(|name| format!("`{name}`"))
            .collect();
        let _ = write!(text, "; it exports {}", shown.join(", "));
    }
    text
}

fn is_ours(name: &str, wanted: &str) -> bool {
    let (package, interface, version) = split(name);
    package == PACKAGE && interface == wanted && same_track(version)
}

/// Splits `ns:pkg/interface@version`.
fn split(name: &str) -> (&str, &str, &str) {
    let (path, version) = name.split_once('@').unwrap_or((name, ""));
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    (package, interface, version)
}

fn same_track(version: &str) -> bool {
    version
        .strip_prefix("0.1.")
        .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|c| c.is_ascii_digit()))
}

fn join(items: &[String]) -> String {
    items.join("; and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_named() {
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
        let of = |names: &[&str]| {
            let exports: Vec<_> = names.iter().map(ToString::to_string).collect();
            world(&exports)
        };
        assert_eq!(of(&["flowhost:engine/attempt@0.1.0"]), Ok("handler"));
        assert_eq!(of(&["flowhost:engine/service@0.1.3", "x"]), Ok("worker"));
        let both = [
            "flowhost:engine/attempt@0.1.0",
            "flowhost:engine/service@0.1.0",
        ];
        assert_eq!(of(&both), Err(PublishRefusal::TwoWorlds));
        let refusal = of(&["flowhost:engine/service@0.2.0"]).unwrap_err();
        assert!(refusal.to_string().contains("@0.2.0"), "{refusal}");
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

    #[test]
    fn imports_are_judged_by_package_interface_and_track() {
        for fine in [
            "flowhost:engine/claim@0.1.0",
            "flowhost:engine/log@0.1.7",
            "wasi:cli/environment@0.2.6",
            "wasi:sockets/tcp@0.2.9",
        ] {
            assert_eq!(refused(fine), None, "{fine}");
        }
        for wrong in [
            "flowhost:engine/claim@0.2.0",
            "flowhost:engine/magic@0.1.0",
            "flowhost:engine/claim",
            "wasi:http/types@0.2.0",
            "wasi:cli/run@0.3.0",
            "acme:own/thing@1.0.0",
            "thing",
        ] {
            let text = refused(wrong).unwrap();
            assert!(text.contains(wrong), "{text}");
        }
    }
}
