//! Compares the documentation with the program: commands and flags with the command
//! line, paths with the table of routes, codes with those that are assigned.

use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use super::command::Cli;
use super::io::Exit;
use crate::http::ROUTES;

const ID: &str = "00000000-0000-7000-8000-000000000000";

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Lists files below `folder` with this ending, but for build output.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !["target", "out", "node_modules"].contains(&&*name) && !name.starts_with('.') {
                found.extend(files(&path, ending));
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Name and text of every page for people.
fn pages() -> Vec<(String, String)> {
    let mut pages = files(&top(), ".md");
    pages.extend(files(&top().join("wit"), ".wit"));
    let pages: Vec<_> = pages.iter().map(|path| read(path)).collect();
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

fn read(path: &Path) -> (String, String) {
    let name = path
        .strip_prefix(top())
        .unwrap_or(path)
        .display()
        .to_string();
    (name, fs::read_to_string(path).expect("text"))
}

/// The spans in backticks of a text.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Command lines of a page: whole lines of its code, and spans within its text.
fn commands(text: &str) -> Vec<String> {
    let (mut code, mut prose) = (String::new(), String::new());
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            match line.strip_suffix('\\') {
                Some(continued) => code.push_str(continued),
                None => code.push_str(&format!("{line}\n")),
            }
        } else {
            prose.push_str(&format!("{line}\n"));
        }
    }
    let whole = code.lines().map(str::trim);
    let whole = whole.map(|line| line.strip_prefix("$ ").unwrap_or(line));
    let found = whole.chain(spans(&prose));
    let found = found.filter(|line| line.starts_with("flowhost "));
    found.map(|line| line.replace('\n', " ")).collect()
}

/// The arguments of a command line, up to what the shell does with it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut quoted = false;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => (quote, quoted) = (Some(c), true),
            None if c.is_whitespace() => {
                if !word.is_empty() || quoted {
                    words.push(std::mem::take(&mut word));
                }
                quoted = false;
            }
            None => word.push(c),
        }
    }
    if !word.is_empty() || quoted {
        words.push(word);
    }
    let end = words.iter().position(|word| {
        ["|", "&&", "||", ";", "#", "(", "&"].contains(&word.as_str())
            || word.starts_with(['>', '<'])
    });
    words.truncate(end.unwrap_or(words.len()));
    words
}

/// The command lines that one with placeholders stands for.
fn meant(line: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for word in words(line) {
        let word = word.trim_matches(['[', ']', ';', ',', ':']);
        let word = match word {
            "…" if all[0]
                .last()
                .is_some_and(|it: &String| it.starts_with("--")) =>
            {
                "x"
            }
            "" | "…" | "..." => continue,
            "ID" | "$ID" | "$id" | "EXECUTION" => ID,
            "N" => "5",
            "{0}" | "{id}" => ID,
            "DURATION" => "5s",
            word => word,
        };
        let choices: Vec<&str> = word.split('|').collect();
        all = choices
            .iter()
            .flat_map(|choice| {
                all.iter().map(|line: &Vec<String>| {
                    let mut line = line.clone();
                    line.push((*choice).to_owned());
                    line
                })
            })
            .collect();
    }
    all
}

fn check(line: &[String]) -> Result<(), String> {
    match Cli::try_parse_from(line) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            // Named without everything it needs, or with a way to see that.
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion => Ok(()),
            _ => Err(error.to_string()),
        },
    }
}

#[test]
fn every_command_that_the_pages_name_exists() {
    let mut pages = pages();
    pages.extend(files(&top().join("host"), ".rs").iter().map(|path| {
        // In source, only what people read: `flowhost …` within a string.
        let (name, text) = read(path);
        let texts = text.lines().filter(|line| line.contains('"'));
        (name, texts.collect::<Vec<_>>().join("\n"))
    }));
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (name, text) in &pages {
        for line in commands(text) {
            for line in meant(&line) {
                seen += 1;
                if let Err(error) = check(&line) {
                    wrong.push(format!("{name}: {}\n{error}", line.join(" ")));
                }
            }
        }
    }
    assert!(seen > 60, "{seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_example_of_the_help_is_valid() {
    let (mut open, mut seen) = (vec![Cli::command()], 0);
    while let Some(command) = open.pop() {
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let examples = help.lines().filter_map(|line| line.strip_prefix("  "));
        for line in examples.filter(|line| line.starts_with("flowhost ")) {
            for line in meant(line) {
                seen += 1;
                if let Err(error) = Cli::try_parse_from(&line) {
                    panic!("{}: {error}", line.join(" "));
                }
            }
        }
        open.extend(command.get_subcommands().cloned());
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn every_flag_that_the_pages_name_exists() {
    let mut known = vec!["help".to_owned(), "version".to_owned()];
    let mut open = vec![Cli::command()];
    while let Some(command) = open.pop() {
        let flags = command.get_arguments().filter_map(|it| it.get_long());
        known.extend(flags.map(str::to_owned));
        open.extend(command.get_subcommands().cloned());
    }
    let mut wrong = Vec::new();
    for (name, text) in pages() {
        // Others have flags of their own.
        if name.starts_with("guest-examples") || name.starts_with("CHANGELOG") {
            continue;
        }
        for span in spans(&text).filter(|span| span.starts_with("--")) {
            let flag = span[2..].split([' ', '=', '\n']).next().unwrap_or_default();
            if !flag.is_empty() && !known.iter().any(|it| it == flag) {
                wrong.push(format!("{name}: {span}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a path, perhaps the beginning of one, is a route's.
fn is_route(method: Option<&str>, path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').collect();
    ROUTES.iter().any(|entry| {
        let route: Vec<&str> = entry.path.split('/').collect();
        let matches = route.len() >= segments.len()
            && route.iter().zip(&segments).all(|(there, given)| {
                let any = there.starts_with('{') || given.starts_with(['$', '{', '…']);
                any || there == given
            });
        match method {
            Some(method) => {
                matches
                    && route.len() == segments.len()
                    && entry.method.as_str().eq_ignore_ascii_case(method)
            }
            None => matches,
        }
    })
}

#[test]
fn every_path_that_the_pages_name_exists() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (name, text) in pages() {
        // It names paths that were removed.
        if name == "CHANGELOG.md" {
            continue;
        }
        for (at, _) in text.match_indices("/v1/") {
            // Of another server, or a folder.
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() && !text[..at].ends_with("7070")) {
                continue;
            }
            let ends = [
                ' ', '`', '\'', '"', ')', '?', '\n', ',', ';', '|', '*', '\\', '&', '#', '>',
            ];
            let path = text[at..].split(ends).next().unwrap_or_default();
            let path = path.trim_end_matches(['.', ':', '/']);
            let method = text[..at].rsplit(['`', '\n', ' ']).nth(1);
            let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
            let method = method.filter(|it| text[..at].ends_with(' ') && methods.contains(it));
            seen += 1;
            if !is_route(method, path) {
                wrong.push(format!("{name}: {} {path}", method.unwrap_or("-")));
            }
        }
    }
    assert!(seen > 40, "{seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_of_a_problem_and_of_a_command_is_explained() {
    let (_, http) = read(&top().join("docs/http.md"));
    let codes = crate::http::Code::all()
        .into_iter()
        .map(|code| code.as_str());
    let missing: Vec<_> = codes
        .filter(|code| !http.contains(&format!("`{code}`")))
        .collect();
    assert!(missing.is_empty(), "not in docs/http.md: {missing:?}");
    let (_, operate) = read(&top().join("docs/operate.md"));
    for exit in Exit::ALL {
        let row = format!("| {} | ", *exit as u8);
        assert!(operate.contains(&row), "not in docs/operate.md: {exit:?}");
    }
}

#[test]
fn names_that_do_not_exist_are_found() {
    for wrong in [
        "flowhost migrait",
        "flowhost migrate --partition 5",
        "flowhost show x",
    ] {
        let meant = meant(wrong);
        assert!(check(&meant[0]).is_err(), "{wrong}");
    }
    assert_eq!(meant("flowhost override complete|fail ID").len(), 2);
    assert!(check(&meant("flowhost show ID --json # one")[0]).is_ok());
    assert!(!is_route(None, "/v1/nothing"));
    assert!(!is_route(Some("DELETE"), "/v1/executions"));
    assert!(is_route(Some("GET"), "/v1/executions/$ID/result"));
}
