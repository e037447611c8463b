//! Folders of a crate import each other in one direction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::source::{Source, assert_none, code, sources};

/// Crates whose folders are compared.
const CRATES: [&str; 7] = [
    "model", "egress", "engine", "runtime", "pgserver", "server", "testkit",
];

type Path = Vec<String>;

/// A crate: its modules, and what they import.
struct Crate {
    /// Modules that are folders.
    folders: BTreeSet<Path>,
    modules: BTreeSet<Path>,
    /// What is imported into a module, by its name there.
    names: HashMap<(Path, String), Path>,
    /// Which file of which folder, and where its imports lead.
    imports: Vec<(String, Path, Vec<Path>)>,
}

impl Crate {
    fn read(src: &str, sources: &[Source]) -> Self {
        let mut read = Self {
            folders: BTreeSet::from([Vec::new()]),
            modules: BTreeSet::from([Vec::new()]),
            names: HashMap::new(),
            imports: Vec::new(),
        };
        for source in sources {
            let path = source.path.trim_start_matches(src).trim_start_matches('/');
            let mut module: Path = path
                .trim_end_matches(".rs")
                .split('/')
                .map(str::to_owned)
                .collect();
            let name = module.pop().unwrap_or_default();
            let folder = module.clone();
            for depth in 0..=folder.len() {
                read.folders.insert(folder[..depth].to_vec());
            }
            if !["mod", "lib", "main"].contains(&name.as_str()) {
                module.push(name);
            }
            read.modules.insert(module.clone());
            let mut paths = Vec::new();
            for mut path in named(&code(without_tests(&source.text))) {
                let mut from = module.clone();
                match path.remove(0).as_str() {
                    "crate" => from.clear(),
                    "super" => {
                        from.pop();
                    }
                    _ => {}
                }
                while path.first().is_some_and(|name| name == "super") {
                    path.remove(0);
                    from.pop();
                }
                from.extend(path);
                if let Some(name) = from.last().cloned() {
                    let known = (module.clone(), name);
                    read.names.entry(known).or_insert_with(|| from.clone());
                }
                paths.push(from);
            }
            read.imports.push((source.path.clone(), folder, paths));
        }
        read.modules.extend(read.folders.iter().cloned());
        read
    }

    /// Returns the folder of what a path names, which may have been imported from elsewhere.
    fn folder(&self, path: &[String]) -> Path {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let mut depth = 0;
            while depth < path.len() && self.modules.contains(&path[..=depth]) {
                depth += 1;
            }
            let Some(name) = path.get(depth) else { break };
            let module = path[..depth].to_vec();
            match self.names.get(&(module, name.clone())) {
                Some(target) if *target != path => {
                    path = [target.clone(), path[depth + 1..].to_vec()].concat();
                }
                _ => break,
            }
        }
        let folders = (0..=path.len()).rev().map(|depth| &path[..depth]);
        folders
            .into_iter()
            .find(|folder| self.folders.contains(*folder))
            .unwrap_or_default()
            .to_vec()
    }

    /// Returns which folder imports which of those beside it, and a file that does.
    fn edges(&self) -> BTreeMap<(Path, Path), &str> {
        let mut edges = BTreeMap::new();
        for (file, from, paths) in &self.imports {
            for path in paths {
                let to = self.folder(path);
                let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                if from.len() > common && to.len() > common {
                    let edge = (from[..=common].to_vec(), to[..=common].to_vec());
                    edges.entry(edge).or_insert(file.as_str());
                }
            }
        }
        edges
    }

    /// Returns every import that is part of a circle.
    fn circles(&self) -> Vec<String> {
        let edges = self.edges();
        let leads = |from: &Path, to: &Path| {
            let mut open = vec![from];
            let mut seen = BTreeSet::new();
            while let Some(at) = open.pop() {
                if at == to {
                    return true;
                }
                if seen.insert(at) {
                    let next = edges.keys().filter(|(from, _)| from == at);
                    open.extend(next.map(|(_, to)| to));
                }
            }
            false
        };
        edges
            .iter()
            .filter(|((from, to), _)| leads(to, from))
            .map(|((from, to), file)| format!("{} → {} in {file}", from.join("/"), to.join("/")))
            .collect()
    }
}

/// Returns what of a file is not a module of tests at its end.
fn without_tests(rust: &str) -> &str {
    let (head, rest) = rust.split_once("#[cfg(test)]\nmod ").unwrap_or((rust, ""));
    let inline = rest
        .find(['{', ';'])
        .is_some_and(|at| rest[at..].starts_with('{'));
    if inline { head } else { rust }
}

/// Returns every path of code that begins in its own crate.
fn named(code: &str) -> Vec<Path> {
    let chars: Vec<char> = code.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let begins = at == 0 || !(is_name(chars[at - 1]) || chars[at - 1] == ':');
        if begins && is_name(chars[at]) {
            let name = name(&chars, &mut at);
            let own = ["crate", "super", "self"].contains(&name.as_str());
            if own && chars[at..].starts_with(&[':', ':']) {
                at += 2;
                tree(&chars, &mut at, &[name], &mut found);
            } else if name == "use" && chars.get(at) == Some(&' ') {
                // Relative to its own module, or else of another crate.
                let mut ahead = at + 1;
                let first = self::name(&chars, &mut ahead);
                if !["crate", "super", "self", ""].contains(&first.as_str()) {
                    at += 1;
                    tree(&chars, &mut at, &["self".to_owned()], &mut found);
                }
            }
        } else {
            at += 1;
        }
    }
    found
}

/// Reads what follows `::`, a name or a list of such, and adds each path it spells.
fn tree(chars: &[char], at: &mut usize, head: &[String], found: &mut Vec<Path>) {
    let blank = |at: &mut usize| {
        while chars
            .get(*at)
            .is_some_and(|c| c.is_whitespace() || *c == ',')
        {
            *at += 1;
        }
    };
    if chars.get(*at) == Some(&'{') {
        *at += 1;
        loop {
            blank(at);
            match chars.get(*at) {
                None => return,
                Some('}') => {
                    *at += 1;
                    return;
                }
                Some(_) => tree(chars, at, head, found),
            }
        }
    }
    let before = *at;
    let next = name(chars, at);
    if next.is_empty() {
        // A glob, or what is not a path.
        *at = before + 1;
        found.push(head.to_vec());
        return;
    }
    let path = [head, &[next]].concat();
    if chars[*at..].starts_with(&[':', ':']) {
        *at += 2;
        tree(chars, at, &path, found);
    } else {
        found.push(path);
        // What it is called here does not matter.
        if chars[*at..].starts_with(&[' ', 'a', 's', ' ']) {
            *at += 4;
            name(chars, at);
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn name(chars: &[char], at: &mut usize) -> String {
    let name: String = chars[*at..].iter().take_while(|c| is_name(**c)).collect();
    *at += name.chars().count();
    name
}

#[test]
fn folders_do_not_import_each_other_in_circles() {
    let broken = CRATES.iter().flat_map(|name| {
        let src = format!("host/{name}/src");
        let mut all = sources(&src, &[".rs"]);
        all.retain(|source| {
            !source.path.ends_with("/tests.rs") && !source.path.contains("/tests/")
        });
        let circles = Crate::read(&src, &all).circles();
        circles
            .into_iter()
            .map(move |circle| format!("{name}: {circle}"))
    });
    assert_none(
        "imports between folders go in a circle; move what both need below both",
        broken,
    );
}

#[test]
fn a_circle_is_found_through_a_list_and_not_in_tests() {
    let read = |b: &str| {
        let sources = [
            Source::new(
                "src/lib.rs",
                "mod a;\nmod b;\npub use a::Of;\npub use self::a::Of;",
            ),
            Source::new("src/a/mod.rs", "mod c;\npub use self::c::Of;"),
            Source::new("src/a/c.rs", "use crate::b::{d::{self, E as F}, G};"),
            Source::new("src/b/mod.rs", "pub mod d;\npub struct G;"),
            Source::new("src/b/d.rs", b),
        ];
        Crate::read("src", &sources).circles()
    };
    assert!(read("use super::G;\nuse crate::b::G;").is_empty());
    assert!(read("#[cfg(test)]\nmod tests { use crate::a::Of; }").is_empty());
    let circle = ["a → b in src/a/c.rs", "b → a in src/b/d.rs"];
    assert_eq!(read("use crate::a::Of;"), circle);
    assert_eq!(read("fn f() -> crate::Of {}"), circle);
}
