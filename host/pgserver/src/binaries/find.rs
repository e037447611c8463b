//! Finds the programs of an installed Postgres server.
//!
//! Order: the explicit setting (and then nothing else), the cache, `pg_config`
//! and `PATH`, then where distributions put it. A directory counts only if both
//! `postgres --version` and `initdb --version` run, as the user the server will
//! run as, and print the same version: `pg_config` comes with the client library and may name a
//! directory without a server. An existing cluster narrows the choice to its
//! own major version.

use super::places::{self, Place};
use crate::error::{Error, Tried, doing};
use crate::owner::Owner;
use crate::process;
use crate::settings::Settings;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// The major versions the host is tested with.
const MAJORS: RangeInclusive<u32> = 15..=18;

/// An installed server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The directory with `postgres` and `initdb`.
    pub bin_dir: PathBuf,
    /// The major version, for example 18.
    pub version_major: u32,
    /// The full version, for example `18.4`.
    pub version: String,
}

impl Binaries {
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin_dir.join(name)
    }
}

/// Finds a server for the cluster in `settings.data_dir`, which need not exist.
/// Starts nothing and changes nothing.
///
/// # Errors
/// [`Error::NotFound`] with every place tried, or [`Error::WrongMajor`] when a
/// server exists but not one for the existing cluster. [`Error::WrongOwner`]
/// when that cluster belongs to another user.
pub fn find(settings: &Settings) -> Result<Binaries, Error> {
    let owner = Owner::choose(&settings.data_dir)?;
    let pgdata = settings.pgdata();
    owner.must_own(&pgdata)?;
    let needed = cluster_major(&pgdata)?;
    choose(places::of(settings), &owner, needed).map_err(|rejected| match needed {
        Some(needed) if rejected.usable => Error::WrongMajor {
            pgdata,
            needed,
            tried: rejected.tried,
        },
        _ => Error::NotFound {
            tried: rejected.tried,
        },
    })
}

/// The major version that made the cluster, or `None` without a cluster.
pub(crate) fn cluster_major(pgdata: &Path) -> Result<Option<u32>, Error> {
    let path = pgdata.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => {
            text.trim().parse().map(Some).map_err(|_| {
                doing("understand", &path)(io::Error::other("expected a major version"))
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(doing("read", &path)(error)),
    }
}

#[derive(Debug)]
struct Rejected {
    tried: Vec<Tried>,
    /// Whether a place was rejected only for its major version.
    usable: bool,
}

fn choose(places: Vec<Place>, owner: &Owner, needed: Option<u32>) -> Result<Binaries, Rejected> {
    let mut rejected = Rejected {
        tried: Vec::new(),
        usable: false,
    };
    for Place { rule, place, found } in places {
        let why = match found.then(|| inspect(&place, owner)) {
            None => "nothing there".to_owned(),
            Some(Err(why)) => why,
            Some(Ok(binaries)) => match needed {
                Some(needed) if needed != binaries.version_major => {
                    rejected.usable = true;
                    format!(
                        "is Postgres {}, the cluster needs {needed}",
                        binaries.version
                    )
                }
                None if !MAJORS.contains(&binaries.version_major) => {
                    format!("is Postgres {}, which is not supported", binaries.version)
                }
                _ => return Ok(binaries),
            },
        };
        rejected.tried.push(Tried { rule, place, why });
    }
    Err(rejected)
}

/// Runs both programs of a directory; the error says why it is rejected.
fn inspect(dir: &Path, owner: &Owner) -> Result<Binaries, String> {
    let bin_dir = fs::canonicalize(dir).map_err(|error| error.to_string())?;
    owner
        .can_reach(&bin_dir)
        .map_err(|error| error.to_string())?;
    let server = version_of(&bin_dir.join("postgres"), owner)?;
    let initdb = version_of(&bin_dir.join("initdb"), owner)?;
    if server != initdb {
        return Err(format!("postgres is {server} but initdb is {initdb}"));
    }
    let version_major = major_of(&server).ok_or_else(|| format!("{server:?} is not a version"))?;
    Ok(Binaries {
        bin_dir,
        version_major,
        version: server,
    })
}

fn version_of(program: &Path, owner: &Owner) -> Result<String, String> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let output = process::command(program, owner, None)
        .arg("--version")
        .output()
        .map_err(|error| format!("{name} does not run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name} --version fails: {}", said.trim()));
    }
    // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
    text.split_once("(PostgreSQL)")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .map(str::to_owned)
        .ok_or_else(|| format!("{name} --version says {:?}", text.trim()))
}

/// Reads `18` from `18.4`, `18beta1` or `18devel`.
pub(crate) fn major_of(version: &str) -> Option<u32> {
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Writes a program that prints a version, as the real ones do.
    fn fake(dir: &Path, program: &str, version: &str) {
        let path = dir.join(program);
        fs::write(
            &path,
            format!("#!/bin/sh\necho '{program} (PostgreSQL) {version} (Fake)'\n"),
        )
        .expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
    }

    fn place(path: &Path) -> Place {
        Place {
            rule: "test",
            place: path.to_owned(),
            found: true,
        }
    }

    fn reasons(places: Vec<Place>, needed: Option<u32>) -> Vec<String> {
        let rejected = choose(places, &Owner::current(), needed).expect_err("nothing counts");
        rejected.tried.into_iter().map(|tried| tried.why).collect()
    }

    #[test]
    fn a_directory_counts_only_if_both_programs_run_and_agree() {
        let dir = tempfile::tempdir().expect("a directory");
        let [empty, half, torn, old, good] = ["empty", "half", "torn", "old", "good"].map(|name| {
            let path = dir.path().join(name);
            fs::create_dir(&path).expect("a directory");
            path
        });
        fake(&half, "postgres", "17.2");
        for (dir, server, initdb) in [
            (&torn, "17.2", "16.1"),
            (&old, "9.6", "9.6"),
            (&good, "18beta1", "18beta1"),
        ] {
            fake(dir, "postgres", server);
            fake(dir, "initdb", initdb);
        }
        let whys = reasons(
            [&empty, &half, &torn, &old]
                .map(|path| place(path))
                .to_vec(),
            None,
        );
        assert!(whys[0].starts_with("postgres does not run"), "{whys:?}");
        assert!(whys[1].starts_with("initdb does not run"), "{whys:?}");
        assert_eq!(whys[2], "postgres is 17.2 but initdb is 16.1");
        assert_eq!(whys[3], "is Postgres 9.6, which is not supported");

        let binaries = choose(vec![place(&empty), place(&good)], &Owner::current(), None)
            .expect("the good one");
        assert_eq!(
            (binaries.version_major, binaries.version.as_str()),
            (18, "18beta1")
        );
    }

    #[test]
    fn an_existing_cluster_skips_servers_of_another_major() {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, version) in [("a", "18.4"), ("b", "16.14")] {
            fs::create_dir(dir.path().join(name)).expect("a directory");
            fake(&dir.path().join(name), "postgres", version);
            fake(&dir.path().join(name), "initdb", version);
        }
        let both = vec![place(&dir.path().join("a")), place(&dir.path().join("b"))];
        let chosen = choose(both.clone(), &Owner::current(), Some(16)).expect("16 is there");
        assert_eq!(chosen.version, "16.14");
        assert_eq!(
            reasons(both, Some(17))[0],
            "is Postgres 18.4, the cluster needs 17"
        );
    }
}
