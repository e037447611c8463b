//! Where a Postgres server may be installed, in the order of preference.

use super::find::major_of;
use crate::settings::Settings;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory to inspect, or a rule that found none.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub rule: &'static str,
    /// The directory, or the pattern that matched nothing.
    pub place: PathBuf,
    pub found: bool,
}

impl Place {
    fn found(rule: &'static str, place: PathBuf) -> Self {
        Self {
            rule,
            place,
            found: true,
        }
    }

    /// Lists what a rule found, or `pattern`, which it looked for in vain.
    fn all(
        rule: &'static str,
        pattern: &Path,
        found: impl IntoIterator<Item = PathBuf>,
    ) -> Vec<Self> {
        let found = found.into_iter();
        let mut places: Vec<_> = found.map(|place| Self::found(rule, place)).collect();
        if places.is_empty() {
            places.push(Self {
                found: false,
                ..Self::found(rule, pattern.to_owned())
            });
        }
        places
    }
}

/// Where packages put a server; at most one `*` per component.
const INSTALLED: [&str; 9] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/bin",
];

/// Lists the places for these settings in the order they are to be tried.
pub(crate) fn of(settings: &Settings) -> Vec<Place> {
    if let Some(bin_dir) = &settings.bin_dir {
        // A setting is a decision: another server would not be what it asks for.
        return vec![Place::found("explicit setting", bin_dir.clone())];
    }
    let mut places = Vec::new();
    if let Some(cache) = &settings.cache_dir {
        let pattern = cache.join("pg/*/bin");
        places.extend(Place::all("cache", &pattern, matches_of(&pattern)));
    }
    places.extend(Place::all(
        "pg_config",
        Path::new("pg_config --bindir"),
        pg_config(),
    ));
    places.extend(Place::all("PATH", Path::new("postgres"), on_path()));
    for pattern in INSTALLED.map(Path::new) {
        places.extend(Place::all("installed", pattern, matches_of(pattern)));
    }
    places
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let dir = text.trim();
    (output.status.success() && !dir.is_empty()).then(|| dir.into())
}

/// The directories on `PATH` with a `postgres`, links resolved: the programs
/// find their libraries and templates relative to their real place.
fn on_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter_map(|dir| fs::canonicalize(dir.join("postgres")).ok())
        .filter_map(|program| program.parent().map(Path::to_owned))
        .collect()
}

/// The existing directories a pattern names, newest version first.
fn matches_of(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern {
        let component_text = component.to_string_lossy();
        found = match component_text.split_once('*') {
            None => found
                .into_iter()
                .map(|dir| dir.join(component))
                .filter(|dir| dir.is_dir())
                .collect(),
            Some((before, after)) => found
                .iter()
                .flat_map(|dir| entries(dir, before, after))
                .collect(),
        };
    }
    found.sort_by_key(|dir| (std::cmp::Reverse(version_in(dir)), dir.clone()));
    found
}

fn entries(dir: &Path, before: &str, after: &str) -> Vec<PathBuf> {
    let fits = |name: &str| {
        name.len() >= before.len() + after.len()
            && name.starts_with(before)
            && name.ends_with(after)
    };
    fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| fits(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// The first number in the last component that has one: 15 in
/// `postgresql@15/bin`.
fn version_in(dir: &Path) -> Option<u32> {
    dir.iter().rev().find_map(|component| {
        let text = component.to_string_lossy();
        let start = text.find(|c: char| c.is_ascii_digit())?;
        major_of(&text[start..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_come_newest_first() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["pgsql-9", "pgsql-18", "pgsql-16", "other-17"] {
            fs::create_dir_all(dir.path().join(name).join("bin")).expect("a directory");
        }
        fs::create_dir(dir.path().join("pgsql-20")).expect("a directory without bin");
        let found = matches_of(&dir.path().join("pgsql-*").join("bin"));
        let names: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(dir.path()).expect("below"))
            .collect();
        assert_eq!(
            names,
            ["pgsql-18/bin", "pgsql-16/bin", "pgsql-9/bin"].map(Path::new)
        );
    }

    #[test]
    fn an_explicit_directory_is_the_only_place() {
        let mut settings = Settings::new("/data");
        settings.bin_dir = Some("/opt/pg/bin".into());
        settings.cache_dir = Some("/cache".into());
        let places: Vec<_> = of(&settings).into_iter().map(|place| place.place).collect();
        assert_eq!(places, [PathBuf::from("/opt/pg/bin")]);
    }

    #[test]
    fn without_one_every_rule_is_listed_even_if_it_found_nothing() {
        let mut settings = Settings::new("/data");
        settings.cache_dir = Some("/nonexistent".into());
        let places = of(&settings);
        for rule in ["cache", "pg_config", "PATH", "installed"] {
            assert!(
                places.iter().any(|place| place.rule == rule),
                "{rule} is missing from {places:?}"
            );
        }
        assert_eq!(places[0].place, Path::new("/nonexistent/pg/*/bin"));
    }
}
