//! `mod.rs` and `lib.rs` list what a folder holds; they hold nothing themselves.

use super::source::{Source, assert_none, code, sources};

/// These define what a list cannot: see each reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Returns the first line of each item that is not a module, an import or a re-export.
fn logic(rust: &str) -> Vec<String> {
    let code = code(rust);
    let mut items = Vec::new();
    let mut item = String::new();
    let mut depth = 0_usize;
    for c in code.chars() {
        if item.is_empty() && c.is_whitespace() {
            continue;
        }
        item.push(c);
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let attribute = item.starts_with('#');
        let imports = item.starts_with("use ") || item.contains("use ") && item.contains("::");
        let ends = match c {
            ';' => true,
            '}' => !imports && !attribute,
            ']' => attribute,
            _ => false,
        };
        if depth == 0 && ends {
            items.push(std::mem::take(&mut item));
        }
    }
    items.push(item);
    items
        .into_iter()
        .filter(|item| !item.trim().is_empty() && !is_listed(item))
        .map(|item| item.lines().next().unwrap_or_default().to_owned())
        .collect()
}

fn is_listed(item: &str) -> bool {
    let mut item = item.trim();
    if item.starts_with('#') {
        return true;
    }
    if let Some(rest) = item.strip_prefix("pub") {
        item = rest.trim_start();
        if item.starts_with('(') {
            item = item
                .split_once(')')
                .map_or("", |(_, rest)| rest.trim_start());
        }
    }
    item.starts_with("use ") || item.starts_with("mod ") && item.ends_with(';')
}

fn is_list(source: &Source) -> bool {
    ["/mod.rs", "src/lib.rs", "tests/main.rs"]
        .iter()
        .any(|end| source.path.ends_with(end))
}

#[test]
fn lists_hold_no_logic() {
    let broken = ["host", "tests"]
        .iter()
        .flat_map(|folder| sources(folder, &[".rs"]))
        .filter(is_list)
        .filter(|source| !EXCEPTIONS.iter().any(|(path, _)| *path == source.path))
        .flat_map(|source| {
            let items = logic(&source.text).into_iter();
            items.map(move |item| format!("{}: {item}", source.path))
        });
    assert_none(
        "`mod.rs` and `lib.rs` hold docs, modules, imports and re-exports; give this a file named after it",
        broken,
    );
}

#[test]
fn logic_in_a_list_is_found() {
    let list = "//! Docs.\n#![deny(x)]\n\n/// About it.\n#[cfg(test)]\nmod a;\npub(crate) mod b;\n\n\
                use c::{d, e};\npub use f::{\n    g,\n    h,\n};\n";
    assert!(logic(list).is_empty(), "{:?}", logic(list));
    let planted = "mod a;\npub use b::C;\n\nimpl C {\n    fn d() {}\n}\n\npub const E: u8 = 1;\nmod f { use g::h; }\n";
    assert_eq!(
        logic(planted),
        ["impl C {", "pub const E: u8 = 1;", "mod f { use g::h; }"]
    );
}
