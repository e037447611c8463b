//! What a component may import, and what to do about what it may not.

use std::collections::BTreeMap;

use model::quoted_list;

use super::names::{PACKAGE, VERSION, same_track, split};

/// Interfaces of [`PACKAGE`].
const INTERFACES: &[&str] = &[
    "types",
    "claim",
    "complete",
    "events",
    "executions",
    "flows",
    "log",
    "signal",
    "streams",
    "suspend",
];

/// What is linked of WASI 0.2, by package. Files and sockets are among it because
/// interpreters import them regardless of what the handler does; there are none to open.
pub(crate) const WASI: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("clocks", &["monotonic-clock", "wall-clock"]),
    ("io", &["error", "poll", "streams"]),
    ("random", &["random", "insecure", "insecure-seed"]),
    ("filesystem", &["types", "preopens"]),
    (
        "sockets",
        &[
            "network",
            "instance-network",
            "ip-name-lookup",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
];

/// What is wrong with an import; each has its advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// Of our package, built against another version.
    Track,
    /// Of our package, which has no such interface.
    Interface,
    /// HTTP, of any version.
    Http,
    /// WASI 0.2 before it was released.
    WasiDraft,
    /// Another version of WASI.
    WasiVersion,
    /// Not linked of WASI 0.2.
    WasiInterface,
    /// Of a package this host knows nothing of.
    Foreign,
}

impl Fault {
    /// Says why it is refused and what to do.
    fn advice(self) -> String {
        match self {
            Self::Track => format!(
                "but this host offers {PACKAGE} {VERSION}: build it against the wit/ of this host"
            ),
            Self::Interface => format!(
                "which {PACKAGE} {VERSION} does not have: it has {}",
                INTERFACES.join(", ")
            ),
            Self::Http => "but components have no network here: build it without HTTP (jco: `jco componentize … --disable http --disable fetch-event`, both of them)".to_owned(),
            Self::WasiDraft => "a draft from before WASI 0.2 was released: build it with current tools, which import 0.2.0 or later (Rust: `--target wasm32-wasip2`; a core module: `wasm-tools component new` with a current adapter)".to_owned(),
            Self::WasiVersion => "but this host offers WASI 0.2: build it for that (Rust: `--target wasm32-wasip2`)".to_owned(),
            Self::WasiInterface => {
                let offered: Vec<_> = WASI
                    .iter()
                    .map(|(package, interfaces)| format!("{package} ({})", interfaces.join(", ")))
                    .collect();
                format!(
                    "which this host does not offer: of WASI 0.2 it has {}. Leave out what needs more",
                    offered.join(", ")
                )
            }
            Self::Foreign => format!(
                "which this host does not offer: a component may import {PACKAGE} and WASI 0.2 (cli, clocks, io, random, filesystem, sockets). Leave it out, or compose the component with one that exports it (`wac plug`)"
            ),
        }
    }
}

/// Says what is wrong with a component's imports, if anything is: a few examples
/// of each fault, how many more there are, and what to do.
pub(super) fn refuse(imports: &[&str]) -> Option<String> {
    let mut faulty: BTreeMap<Fault, Vec<&str>> = BTreeMap::new();
    for name in imports {
        if let Some(fault) = judge(name) {
            faulty.entry(fault).or_default().push(name);
        }
    }
    let groups: Vec<_> = faulty
        .into_iter()
        .map(|(fault, names)| format!("{}, {}", quoted_list(names), fault.advice()))
        .collect();
    (!groups.is_empty()).then(|| groups.join("; and "))
}

/// Says what is wrong with an import, if anything is.
pub(super) fn judge(name: &str) -> Option<Fault> {
    let (package, interface, version) = split(name);
    if package == PACKAGE {
        if !same_track(version) {
            return Some(Fault::Track);
        }
        return (!INTERFACES.contains(&interface)).then_some(Fault::Interface);
    }
    let Some(wasi) = package.strip_prefix("wasi:") else {
        return Some(Fault::Foreign);
    };
    if wasi == "http" {
        return Some(Fault::Http);
    }
    let Some((_, interfaces)) = WASI.iter().find(|(package, _)| *package == wasi) else {
        return Some(Fault::Foreign);
    };
    let Some(patch) = version.strip_prefix("0.2.") else {
        return Some(Fault::WasiVersion);
    };
    let released = (1..=5).contains(&patch.len()) && patch.bytes().all(|c| c.is_ascii_digit());
    if !released {
        return Some(Fault::WasiDraft);
    }
    (!interfaces.contains(&interface)).then_some(Fault::WasiInterface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_judged_by_package_interface_and_track() {
        for fine in [
            "flowhost:engine/claim@0.1.0",
            "flowhost:engine/log@0.1.7",
            "wasi:cli/environment@0.2.6",
            "wasi:sockets/tcp@0.2.9",
            "wasi:io/streams@0.2.12",
        ] {
            assert_eq!(judge(fine), None, "{fine}");
        }
        for (wrong, fault) in [
            ("flowhost:engine/claim@0.2.0", Fault::Track),
            ("flowhost:engine/claim", Fault::Track),
            ("flowhost:engine/magic@0.1.0", Fault::Interface),
            ("wasi:http/types@0.2.0", Fault::Http),
            ("wasi:cli/run@0.3.0", Fault::WasiVersion),
            ("wasi:cli/environment@0.2.0-rc-2023-11-10", Fault::WasiDraft),
            ("wasi:clocks/timezone@0.2.0", Fault::WasiInterface),
            ("wasi:keyvalue/store@0.2.0-draft", Fault::Foreign),
            ("acme:own/thing@1.0.0", Fault::Foreign),
            ("thing", Fault::Foreign),
        ] {
            assert_eq!(judge(wrong), Some(fault), "{wrong}");
            let text = refuse(&[wrong]).expect("a refusal");
            assert!(text.starts_with(&format!("`{wrong}`, ")), "{text}");
        }
    }

    #[test]
    fn a_refusal_is_a_few_examples_of_each_fault() {
        let long = "x".repeat(1 << 20);
        let mut imports = vec![long.as_str(); 10_000];
        imports.extend(["wasi:http/types@0.2.0", "wasi:clocks/timezone@0.2.0"]);
        let text = refuse(&imports).expect("a refusal");
        assert!(text.len() < 4096, "{} bytes", text.len());
        for part in ["and 9996 more", "`wasi:http/types@0.2.0`, but", "timezone"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
