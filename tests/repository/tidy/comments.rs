//! What comments and attributes may say.

use super::source::{assert_none, rust, sources};

#[test]
fn comments_tell_no_history() {
    let broken = rust()
        .into_iter()
        .chain(sources("migrations", &[".sql"]))
        .chain(sources("host", &[".sql"]))
        .chain(sources("wit", &[".wit"]))
        .flat_map(|source| {
            let lines = source.text.lines().enumerate();
            lines
                .filter(|(_, line)| tells_history(line))
                .map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim()))
                .collect::<Vec<_>>()
        });
    assert_none("comments with ticket numbers or leftovers", broken);
}

/// Whether a comment names a ticket or leaves work behind.
fn tells_history(line: &str) -> bool {
    let Some((_, comment)) = line.split_once("//").or_else(|| line.split_once("-- ")) else {
        return false;
    };
    let ticket = comment
        .split(|c: char| !c.is_alphanumeric() && c != '#' && c != '-')
        .any(|word| {
            let digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
            word.strip_prefix('#').is_some_and(digits)
                || word.strip_prefix("RFC-").is_some_and(digits)
                || word.strip_prefix("PR-").is_some_and(digits)
        });
    let leftover =
        ["TO", "FIX"].map(|head| [head, if head == "TO" { "DO" } else { "ME" }].concat());
    ticket || leftover.iter().any(|word| comment.contains(word.as_str()))
}

#[test]
fn lints_are_expected_with_a_reason_and_never_just_allowed() {
    let broken = rust()
        .into_iter()
        .filter(|source| !source.is_in(&["tests/repository/tidy/"]))
        .filter(|source| source.text.contains("#[allow("))
        .map(|source| source.path);
    assert_none("#[allow] instead of #[expect(…, reason = …)]", broken);
}

#[test]
fn no_registry_and_no_path_of_a_machine_is_named() {
    let hosts = [
        ["crates", ".io"].concat(),
        ["registry.npm", "js"].concat(),
        ["py", "pi.org"].concat(),
        ["deb.deb", "ian.org"].concat(),
    ];
    let endings = [".rs", ".sh", ".md", ".toml", ".json", ".wit", ".sql", ".js"];
    let broken = [
        "host",
        "tests",
        "guest-examples",
        "wit",
        "migrations",
        "docs",
    ]
    .iter()
    .flat_map(|folder| sources(folder, &endings))
    .filter(|source| hosts.iter().any(|host| source.text.contains(host.as_str())))
    .map(|source| source.path);
    assert_none("files that name a package registry", broken);
}
