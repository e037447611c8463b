//! `docs/verbs.md`: every verb, and where it can be asked for. It is printed from
//! `verbs.txt` and from the code; a route, a command, a function of `wit/` or a public
//! function of the engine without a line there fails here, as does a gap without a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;
use wit_parser::{Resolve, WorldItem};

use crate::support::golden::{assert_golden, top};

const HEAD: &str = "\
# Every verb, and where it can be asked for

One line for each verb: the route, the command, the functions of a component that is a handler \
or a service, the route of native workers, and the functions of the engine as a library. This \
page is printed from the code and from `tests/repository/verbs.txt` by `make golden`. A letter \
is the reason of a gap; the reasons are [below](#why-there-is-nothing).

Commands are written without `flowhost`. A native worker may use every route; its column names \
those that are for it.
";

/// The surfaces, in the order of the columns, and their titles.
const SURFACES: [(&str, &str); 6] = [
    ("http", "HTTP"),
    ("cli", "command"),
    ("handler", "WIT, handler"),
    ("service", "WIT, service"),
    ("native", "native worker"),
    ("engine", "engine"),
];

/// The file that says which is which.
#[derive(Default)]
struct Written {
    reasons: Vec<(String, String)>,
    parts: Vec<(String, Vec<Verb>)>,
}

/// A verb, and its names by surface.
#[derive(Default)]
struct Verb {
    name: String,
    names: BTreeMap<String, Vec<String>>,
    gaps: BTreeMap<String, String>,
}

impl Written {
    fn read(text: &str) -> Self {
        let mut written = Self::default();
        for line in text.lines() {
            let of_verb = line.strip_prefix("  ");
            if line.is_empty() || line.starts_with("# ") || line == "#" {
                continue;
            } else if let Some(part) = line.strip_prefix("## ") {
                written.parts.push((part.to_owned(), Vec::new()));
            } else if let Some(reason) = line.strip_prefix("reason ") {
                let (key, text) = reason.split_once(": ").expect("reason KEY: TEXT");
                written.reasons.push((key.to_owned(), text.to_owned()));
            } else if let Some(line) = of_verb {
                let (_, verbs) = written.parts.last_mut().expect("a part");
                verbs.last_mut().expect("a verb").read(line);
            } else {
                let (_, verbs) = written.parts.last_mut().expect("a part");
                verbs.push(Verb {
                    name: line.to_owned(),
                    ..Verb::default()
                });
            }
        }
        written
    }

    fn verbs(&self) -> impl Iterator<Item = &Verb> {
        self.parts.iter().flat_map(|(_, verbs)| verbs)
    }

    /// Every name of a surface that is written down.
    fn names(&self, surface: &str) -> BTreeSet<String> {
        let of = |verb: &Verb| verb.names.get(surface).cloned().unwrap_or_default();
        self.verbs().flat_map(of).collect()
    }
}

impl Verb {
    fn read(&mut self, line: &str) {
        if let Some(gap) = line.strip_prefix("no ") {
            let (surface, reason) = gap.split_once(": ").expect("no SURFACE: REASON");
            self.gaps.insert(surface.to_owned(), reason.to_owned());
            return;
        }
        let (surface, names) = line.split_once(' ').expect("SURFACE NAMES");
        let names = names.split(", ").map(str::to_owned).collect();
        let before = self.names.insert(surface.to_owned(), names);
        assert!(before.is_none(), "{}: {surface} twice", self.name);
    }

    fn of(&self, surface: &str) -> &[String] {
        self.names.get(surface).map_or(&[], Vec::as_slice)
    }

    /// The reason why a surface has nothing, as it is written down.
    fn gap(&self, surface: &str) -> Option<&str> {
        let also = match surface {
            "native" => "http",
            "handler" | "service" => "wit",
            _ => surface,
        };
        let gap = self.gaps.get(surface).or_else(|| self.gaps.get(also));
        gap.map(String::as_str)
    }
}

/// What the code has: names by surface, and the worlds of each function of `wit/`.
struct Code {
    names: BTreeMap<&'static str, BTreeSet<String>>,
    /// Routes and commands that tell what they would do.
    dry_runs: BTreeSet<String>,
    worlds: BTreeMap<String, BTreeSet<String>>,
}

impl Code {
    fn read() -> Self {
        let (worlds, routes, commands) = (functions(), routes(), server::cli::commands());
        let both = routes.clone().into_iter().chain(commands.clone());
        let dry_runs = both.filter(|(_, dry)| *dry).map(|(name, _)| name);
        let names = [
            ("http", routes.into_keys().collect()),
            ("cli", commands.into_iter().map(|(name, _)| name).collect()),
            ("wit", worlds.keys().cloned().collect()),
            ("engine", engine_functions()),
            (
                "model",
                model::Verb::ALL.iter().map(ToString::to_string).collect(),
            ),
        ];
        Self {
            names: BTreeMap::from(names),
            dry_runs: dry_runs.collect(),
            worlds,
        }
    }
}

/// Every route, and whether it takes `dry_run`.
fn routes() -> BTreeMap<String, bool> {
    let document: Value = serde_json::from_str(server::http::document()).expect("JSON");
    let mut routes = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let dry = parameters.into_iter().any(|it| it["name"] == "dry_run");
            routes.insert(format!("{} {path}", method.to_uppercase()), dry);
        }
    }
    routes
}

/// Every function of `wit/`, and the worlds that import or export it.
fn functions() -> BTreeMap<String, BTreeSet<String>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(top().join("wit")).expect("it parses");
    let mut functions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (world, id) in &resolve.packages[package].worlds {
        let world_items = &resolve.worlds[*id];
        for item in world_items
            .imports
            .values()
            .chain(world_items.exports.values())
        {
            let WorldItem::Interface { id, .. } = item else {
                continue;
            };
            let interface = &resolve.interfaces[*id];
            let name = interface.name.as_deref().expect("a name");
            for function in interface.functions.keys() {
                let function = function.trim_start_matches("[method]");
                let worlds = functions.entry(format!("{name}.{function}")).or_default();
                worlds.insert(world.clone());
            }
        }
    }
    functions
}

/// The public functions of `Engine`, as its source declares them.
fn engine_functions() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![top().join("host/engine/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "bench" {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                found.extend(declared(&fs::read_to_string(path).expect("text")));
            }
        }
    }
    found
}

/// The public functions within `impl Engine` of a source.
fn declared(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut end = None;
    for line in source.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        match &end {
            None if line.trim() == "impl Engine {" => end = Some(format!("{indent}}}")),
            Some(last) if line == last => end = None,
            Some(_) => {
                let public = line.trim_start().strip_prefix("pub ");
                let rest =
                    public.map(|it| it.trim_start_matches("async ").trim_start_matches("const "));
                if let Some(name) = rest.and_then(|it| it.strip_prefix("fn ")) {
                    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
                    found.insert(name[..end.unwrap_or(name.len())].to_owned());
                }
            }
            None => {}
        }
    }
    found
}

/// Whether a name that is written down, perhaps with `*` at its end, is this one.
fn is(written: &str, name: &str) -> bool {
    match written.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => written == name,
    }
}

/// Compares what is written down with the code; returns what is wrong.
fn compare(written: &Written, code: &Code) -> Vec<String> {
    let mut wrong = Vec::new();
    for (surface, names) in &code.names {
        let mut known = written.names(surface);
        if *surface == "http" {
            known.extend(written.names("native"));
        }
        for name in names {
            if !known.iter().any(|it| is(it, name)) {
                wrong.push(format!("{surface} `{name}` has no line"));
            }
        }
        for one in &known {
            if !names.iter().any(|name| is(one, name)) {
                wrong.push(format!("{surface} `{one}` does not exist"));
            }
        }
    }
    let reasons: BTreeSet<&str> = written.reasons.iter().map(|(key, _)| &**key).collect();
    let mut used = BTreeSet::new();
    for verb in written.verbs() {
        if verb.of("http").iter().any(|it| code.dry_runs.contains(it)) {
            let commands = verb.of("cli").iter();
            let without = commands.filter(|it| !code.dry_runs.contains(*it));
            wrong.extend(without.map(|it| format!("cli `{it}` has no --dry-run")));
        }
        for (surface, _) in SURFACES {
            let (cell, gap) = (cell(verb, code, surface), verb.gap(surface));
            match (cell, gap) {
                (None, None) => wrong.push(format!("{}: no {surface}, and no reason", verb.name)),
                (None, Some(reason)) if !reasons.contains(reason) => {
                    wrong.push(format!("{}: {reason} is not a reason", verb.name));
                }
                (None, Some(reason)) => {
                    used.insert(reason);
                }
                (Some(_), _) if verb.gaps.contains_key(surface) => {
                    wrong.push(format!(
                        "{}: a reason for a gap that is none: {surface}",
                        verb.name
                    ));
                }
                (Some(_), _) => {}
            }
        }
    }
    for unused in reasons.difference(&used) {
        wrong.push(format!("reason {unused} is not used"));
    }
    wrong
}

/// What a verb is on a surface, for people; `None` in a gap.
fn cell(verb: &Verb, code: &Code, surface: &str) -> Option<String> {
    let names: Vec<String> = match surface {
        "handler" | "service" => verb
            .of("wit")
            .iter()
            .filter(|name| {
                let mut of = code.worlds.iter().filter(|(one, _)| is(name, one));
                of.any(|(_, worlds)| worlds.contains(surface))
            })
            .cloned()
            .collect(),
        _ => verb.of(surface).to_vec(),
    };
    let (http, native) = (verb.of("http"), verb.of("native"));
    match surface {
        _ if !names.is_empty() => {
            let names = names.iter().filter(|name| !name.contains("[constructor]"));
            let names = names.map(|name| format!("`{name}`"));
            Some(names.collect::<Vec<_>>().join("<br>"))
        }
        "http" if !native.is_empty() => Some("as native worker".to_owned()),
        "native" if !http.is_empty() => Some("as HTTP".to_owned()),
        _ => None,
    }
}

fn page(written: &Written, code: &Code) -> String {
    let mut page = HEAD.to_owned();
    let letter = |reason: &str| {
        let at = written.reasons.iter().position(|(key, _)| key == reason);
        let at = u8::try_from(at.unwrap_or_default()).unwrap_or_default();
        char::from(b'a' + at)
    };
    let titles: Vec<_> = SURFACES.iter().map(|(_, title)| *title).collect();
    for (part, verbs) in &written.parts {
        let _ = write!(page, "\n## {part}\n\n| verb | {} |\n", titles.join(" | "));
        let _ = writeln!(page, "|{}", "---|".repeat(SURFACES.len() + 1));
        for verb in verbs {
            let cells = SURFACES.map(|(surface, _)| {
                let gap = || letter(verb.gap(surface).unwrap_or_default());
                cell(verb, code, surface).unwrap_or_else(|| format!("— {}", gap()))
            });
            let _ = writeln!(page, "| {} | {} |", verb.name, cells.join(" | "));
        }
    }
    page.push_str("\n## Why there is nothing\n\n");
    for (key, text) in &written.reasons {
        let _ = writeln!(page, "- **{}**: {text}.", letter(key));
    }
    page
}

fn written() -> Written {
    let file = top().join("tests/repository/verbs.txt");
    Written::read(&fs::read_to_string(file).expect("text"))
}

#[test]
fn golden_verbs() {
    let (written, code) = (written(), Code::read());
    let wrong = compare(&written, &code);
    assert!(
        wrong.is_empty(),
        "tests/repository/verbs.txt:\n{}",
        wrong.join("\n")
    );
    assert_golden("docs/verbs.md", &page(&written, &code));
}

#[test]
fn a_verb_without_a_line_or_a_reason_is_found() {
    let (mut written, mut code) = (written(), Code::read());
    let more = [
        ("http", "POST /v1/dance"),
        ("cli", "dance"),
        ("wit", "claim.dance"),
        ("engine", "dance"),
    ];
    for (surface, name) in more {
        code.names
            .get_mut(surface)
            .expect("one")
            .insert(name.to_owned());
    }
    let mut dance = Verb::default();
    dance.read("cli prance");
    code.dry_runs.remove("cancel");
    written.parts[0].1.push(dance);
    let wrong = compare(&written, &code);
    for expected in [
        "http `POST /v1/dance` has no line",
        "cli `dance` has no line",
        "wit `claim.dance` has no line",
        "engine `dance` has no line",
        "cli `prance` does not exist",
        "cli `cancel` has no --dry-run",
        ": no http, and no reason",
        ": no handler, and no reason",
    ] {
        assert!(
            wrong.iter().any(|it| it == expected),
            "{expected}: {wrong:?}"
        );
    }
    let source = "impl Engine {\n    pub async fn a(&self) {}\n    fn b() {}\n}\npub fn c() {}\n";
    assert_eq!(declared(source), BTreeSet::from(["a".to_owned()]));
}
